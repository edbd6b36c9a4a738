package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/durable"
	"posthorn/internal/index"
)

// files returns `uid:letters` of all messages as the files say, without any of
// our pictures.
func files(t *testing.T, path string) string {
	t.Helper()
	uids := make(map[string]uint32)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	l := dovecot.NewUidlist(dovecot.Dir{Disk: new(durable.Disk), FD: fd, Path: path}, 0)
	defer l.Close()
	if err := l.Load(func() {}, func(r dovecot.Record) { uids[string(r.Name)] = r.UID }); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, sub := range []string{"cur", "new"} {
		entries, err := os.ReadDir(filepath.Join(path, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			base, letters, _ := strings.Cut(e.Name(), ":2,")
			found = append(found, fmt.Sprintf("%06d:%s", uids[base], letters))
		}
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

// seen is what files returns, as a view has it.
func seen(v *View) string {
	var out []string
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.At(seq)
		b, _ := bitsOf(m.Flags, v.folder.keywords)
		out = append(out, fmt.Sprintf("%06d:%s", m.UID, b.Letters()))
	}
	return strings.Join(out, " ")
}

// rests reports whether the view's folder is not in memory.
func rests(v *View) bool {
	v.folder.mu.Lock()
	defer v.folder.mu.Unlock()
	return v.folder.resting && !v.folder.loaded && v.folder.Records == nil
}

// TestSelectReadsTheHeader: what an unchanged folder is opened with does not
// depend on its size.
func TestSelectReadsTheHeader(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for i := range 5 {
		appendText(t, b, "INBOX", fmt.Sprint(i), Flags{System: []SystemFlag{Seen, Seen, 0, Seen | Deleted, Flagged}[i]})
	}
	v := sel(t, b, "INBOX", false)
	if err := v.Remove([]uint32{2}); err != nil {
		t.Fatal(err)
	}
	syncView(t, v, true)
	want, _ := b.Status("INBOX")
	mod := v.HighestModSeq()
	w := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	st, err := w.box.Status("INBOX")
	if err != nil || st != want || w.Len() != 4 || w.FirstUnseen() != 2 || w.UIDNext() != 6 || w.UIDValidity() != v.UIDValidity() || w.HighestModSeq() != mod {
		t.Errorf("got %+v, %v, %d messages, first unseen %d, UIDNEXT %d, HIGHESTMODSEQ %d, want %+v, 4, 2, 6, %d",
			st, err, w.Len(), w.FirstUnseen(), w.UIDNext(), w.HighestModSeq(), want, mod)
	}
	if !rests(w) {
		t.Error("the folder is in memory, nothing asked for it")
	}
	if got := seen(w); got != files(t, path) || rests(w) {
		t.Errorf("got %q, want %q", got, files(t, path))
	}
}

// tire has the folder's picture dropped as if nobody had asked for a while.
func tire(v *View) {
	v.folder.mu.Lock()
	v.folder.used = false
	v.folder.mu.Unlock()
	v.folder.lieDown()
}

// TestIdleFolderRests: what no session asks for is not in memory, and what others
// do meanwhile is told all the same.
func TestIdleFolderRests(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for i := range 6 {
		appendText(t, b, "INBOX", fmt.Sprint(i), Flags{System: Seen})
	}
	v, w := sel(t, b, "INBOX", false), sel(t, b, "INBOX", true)
	syncView(t, w, true)
	tire(v)
	if !rests(v) || v.Len() != 6 || w.Len() != 6 {
		t.Fatalf("got %d and %d messages, resting %v", v.Len(), w.Len(), rests(v))
	}
	if c := syncView(t, v, true); !c.Empty() || !rests(v) {
		t.Errorf("got %+v, resting %v, want nothing to tell", c, rests(v))
	}

	// Another process removes two, and changes one.
	other := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if err := other.Remove([]uint32{2, 5}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Store([]int{1}, Add, Flags{System: Flagged}); err != nil {
		t.Fatal(err)
	}
	c := syncView(t, v, true)
	if !slices.Equal(c.Expunged, []int{5, 2}) || c.Exists != -1 || !slices.Equal(c.Flags, []int{1}) {
		t.Errorf("got %+v, want 5 and 2 expunged, flags of 1", c)
	}
	if m := w.At(2); m.UID != 2 || !m.Gone {
		t.Errorf("the other session: got %+v, want 2, gone", m)
	}
	syncView(t, w, true)
	if got, want := seen(w), files(t, path); got != want || seen(v) != want {
		t.Errorf("got %q and %q, want %q", got, seen(v), want)
	}
	for end := time.Now().Add(10 * time.Second); !rests(v); tire(v) { // the events of the other come when they like
		if time.Now().After(end) {
			t.Fatal("does not rest again")
		}
		syncView(t, v, true)
		syncView(t, w, true)
	}
}

// TestRestsAfterLook: a folder in which nothing came or went needs no list of a
// session's own after others changed flags.
func TestRestsAfterLook(t *testing.T) {
	path := t.TempDir()
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	appendText(t, v.box, "INBOX", "a", Flags{System: Seen})
	syncView(t, v, true)
	files, _ := filepath.Glob(filepath.Join(path, "cur", "*:2,S"))
	if len(files) != 1 || os.Rename(files[0], files[0]+"T") != nil {
		t.Fatalf("got the files %q, want one that can be renamed", files)
	}
	if c := syncView(t, v, true); !slices.Equal(c.Flags, []int{1}) {
		t.Fatalf("got %+v, want flags of 1", c)
	}
	for end := time.Now().Add(10 * time.Second); !rests(v); tire(v) { // the events of the other come when they like
		if time.Now().After(end) {
			t.Fatal("does not rest")
		}
		syncView(t, v, true)
	}
}

// TestDirtyFolderStays: what the index does not have stays in memory.
func TestDirtyFolderStays(t *testing.T) {
	path := t.TempDir()
	full := false
	disk := &durable.Disk{Hook: func(op durable.Op) error {
		if full && strings.Contains(op.Path, index.Name) {
			return unix.ENOSPC
		}
		return nil
	}}
	b := openBox(t, newStore(t, Options{Disk: disk}), path)
	full = true
	appendText(t, b, "INBOX", "a", Flags{})
	v := sel(t, b, "INBOX", false)
	tire(v)
	if rests(v) || seen(v) != files(t, path) {
		t.Errorf("got %q, resting %v, want %q", seen(v), rests(v), files(t, path))
	}
}

// TestIndexDamaged works on a folder at random, damages its index at random, and
// compares what is seen with the files.
func TestIndexDamaged(t *testing.T) {
	for seed := range 6 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &walk{T: t, r: rand.New(rand.NewPCG(7, uint64(seed))), path: t.TempDir()}
			if seed%2 > 0 {
				w.index = t.TempDir()
			}
			w.open()
			for step := range 120 {
				w.step(step)
				if got, want := seen(w.v), files(t, w.path); got != want {
					t.Fatalf("step %d (%s):\ngot  %s\nwant %s", step, strings.Join(w.did, ", "), got, want)
				}
				w.texts()
			}
			w.close()
		})
	}
}

// walk is a session that works at random.
type walk struct {
	*testing.T
	r    *rand.Rand
	path string
	// index, if any, is where the index is three times out of four.
	index string

	s   *Store
	b   *Box
	v   *View
	did []string
}

func (w *walk) open() {
	o := Options{Node: "test"}
	if w.index != "" && w.r.IntN(4) > 0 {
		o.Index = in(w.index)
	}
	w.s = New(o)
	w.b = openBox(w.T, w.s, w.path)
	w.v = sel(w.T, w.b, "INBOX", false)
}

func (w *walk) close() {
	w.v.Close()
	w.s.Close()
}

func (w *walk) step(n int) {
	w.Helper()
	seq := 1 + w.r.IntN(max(w.v.Len(), 1))
	var err error
	did := "append"
	switch k := w.r.IntN(11); {
	case k < 2:
		appendText(w.T, w.b, "INBOX", fmt.Sprint(n), Flags{System: SystemFlag(w.r.IntN(32))})
	case k == 2:
		did = "deliver"
		deliver(w.T, w.path, fmt.Sprint(1e9+n, ".M1P1.x"), "delivered")
	case k < 6 && w.v.Len() > 0:
		did = "store"
		_, err = w.v.Store([]int{seq, 1 + w.r.IntN(w.v.Len())}, Op(w.r.IntN(3)), Flags{System: SystemFlag(w.r.IntN(32)), Keywords: []string{"a", "b"}[:w.r.IntN(3)]})
	case k == 6 && w.v.Len() > 0:
		did = "expunge"
		err = w.v.Remove([]uint32{w.v.At(seq).UID})
	case k == 7 && w.v.Len() > 0:
		did = "foreign"
		err = w.foreign()
	case k == 8:
		did = "rest"
		tire(w.v)
	default:
		w.close()
		did = w.damage()
		w.open()
	}
	if err != nil {
		w.Fatalf("%s: %v", did, err)
	}
	w.did = append(w.did, did)
	syncView(w.T, w.v, true)
}

// texts has the index keep texts of some messages and looks at all that it kept:
// what is there is of that very message.
func (w *walk) texts() {
	w.Helper()
	for seq := 1; seq <= w.v.Len(); seq++ {
		uid := w.v.At(seq).UID
		var all Texts
		for c := range all {
			all[c] = []byte(strings.Repeat(fmt.Sprint(c, uid, w.v.UIDValidity(), " "), int(uid)%50))
		}
		for c := range Column(index.Columns) {
			if w.r.IntN(4) == 0 {
				w.v.Keep(seq, all)
			}
			want := string(all[c])
			if got, ok := w.v.Kept(seq, c, nil); ok && string(got) != want {
				w.Fatalf("%s: column %d of UID %d: got %q, want %q or nothing", strings.Join(w.did, ", "), c, uid, got, want)
			}
		}
	}
}

// foreign does what another program may do to the files.
func (w *walk) foreign() error {
	entries, err := os.ReadDir(w.path + "/cur")
	if err != nil || len(entries) == 0 {
		return err
	}
	name := entries[w.r.IntN(len(entries))].Name()
	base, _, _ := strings.Cut(name, ":2,")
	if w.r.IntN(3) == 0 {
		return os.Remove(w.path + "/cur/" + name)
	}
	return os.Rename(w.path+"/cur/"+name, w.path+"/cur/"+base+":2,"+[]string{"", "S", "FS", "RST"}[w.r.IntN(4)])
}

// damage harms one of the index's files.
func (w *walk) damage() string {
	found, _ := filepath.Glob(w.path + "/posthorn.*")
	apart, _ := filepath.Glob(w.index + w.path + "/posthorn.*")
	found = append(found, apart...)
	if len(found) == 0 {
		return "nothing"
	}
	path := found[w.r.IntN(len(found))]
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return "nothing"
	}
	at, how := w.r.IntN(len(b)), "kept"
	switch w.r.IntN(6) {
	case 0:
		b, how = b[:at], "cut"
	case 1:
		b, how = bytes.Clone(b), "flipped"
		b[at] ^= byte(1 + w.r.IntN(255))
	case 2:
		b, how = append(b, "more of it"...), "longer"
	case 3:
		os.Remove(path)
		return "removed " + filepath.Base(path)
	default:
		return "reopened"
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		w.Fatal(err)
	}
	return how + " " + filepath.Base(path)
}

// TestColumnsAreTrimmed: what was kept of messages that are gone goes too.
func TestColumnsAreTrimmed(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	v := sel(t, b, "INBOX", false)
	big := bytes.Repeat([]byte("x"), 200<<10)
	for i := range 30 {
		uid := appendText(t, b, "INBOX", fmt.Sprint(i), Flags{System: Seen})
		syncView(t, v, true)
		v.Keep(v.Len(), Texts{big})
		if i > 0 {
			if err := v.Remove([]uint32{uid}); err != nil {
				t.Fatal(err)
			}
		}
		syncView(t, v, true)
		if st, err := os.Stat(path + "/posthorn.envelope"); err == nil && st.Size() > 4<<20 {
			t.Fatalf("after %d: got %d bytes for one message", i, st.Size())
		}
	}
}

// TestModSeqs: a modseq stays what it is while the index is there, rises with each
// change, and is a new one for all messages when the index was lost.
func TestModSeqs(t *testing.T) {
	path := t.TempDir()
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	for i := range 4 {
		appendText(t, v.box, "INBOX", fmt.Sprint(i), Flags{System: Seen})
	}
	syncView(t, v, true)
	before := v.HighestModSeq()
	if _, err := v.Store([]int{2}, Add, Flags{System: Flagged}); err != nil {
		t.Fatal(err)
	}
	if err := v.Remove([]uint32{3}); err != nil {
		t.Fatal(err)
	}
	syncView(t, v, true)
	if v.At(1).ModSeq > before || v.At(2).ModSeq <= before || v.HighestModSeq() <= v.At(2).ModSeq {
		t.Errorf("got %d, %d, highest %d after %d", v.At(1).ModSeq, v.At(2).ModSeq, v.HighestModSeq(), before)
	}
	w := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	uids, ok, err := w.Vanished(before)
	if w.HighestModSeq() != v.HighestModSeq() || !slices.Equal(uids, []uint32{3}) || !ok || err != nil {
		t.Errorf("another process: got highest %d, vanished %v, %v, %v, want %d, 3", w.HighestModSeq(), uids, ok, err, v.HighestModSeq())
	}
	for seq := range 3 {
		if got, want := w.At(seq+1).ModSeq, v.At(seq+1).ModSeq; got != want {
			t.Errorf("another process: message %d: got modseq %d, want %d", seq+1, got, want)
		}
	}
	changed, modified, err := w.StoreUnchanged([]int{1, 2}, before, Add, Flags{System: Answered})
	if !slices.Equal(changed, []int{1}) || !slices.Equal(modified, []int{2}) || err != nil {
		t.Errorf("got %v changed, %v modified, %v, want 1 and 2", changed, modified, err)
	}

	// What happens to the files alone has modseqs too.
	highest := w.HighestModSeq()
	if err := os.Remove(path + "/cur/" + w.folder.File(w.folder.Find(4))); err != nil {
		t.Fatal(err)
	}
	x := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if uids, ok, _ := x.Vanished(highest); !slices.Equal(uids, []uint32{4}) || !ok || x.At(1).ModSeq != w.At(1).ModSeq {
		t.Errorf("removed behind the index: got %v vanished, %v", uids, ok)
	}

	if err := os.Remove(path + "/" + index.Name); err != nil {
		t.Fatal(err)
	}
	highest = x.HighestModSeq()
	y := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if y.At(1).ModSeq <= highest || y.At(2).ModSeq <= highest {
		t.Errorf("index lost: got modseqs %d and %d, want them above %d", y.At(1).ModSeq, y.At(2).ModSeq, highest)
	}
	if _, ok, _ := y.Vanished(highest); ok {
		t.Error("index lost: got all that vanished, which nobody knows")
	}
	// A list that is another file cannot be rested on: the folder is scanned.
	content, err := os.ReadFile(path + "/dovecot-uidlist")
	if err = errors.Join(err, os.WriteFile(path+"/copy", content, 0o600), os.Rename(path+"/copy", path+"/dovecot-uidlist")); err != nil {
		t.Fatal(err)
	}
	z := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if _, ok, _ := z.Vanished(highest); ok || z.At(1).ModSeq != y.At(1).ModSeq {
		t.Errorf("index lost before: got all that vanished %v, modseq %d, want %d", ok, z.At(1).ModSeq, y.At(1).ModSeq)
	}
}

// TestAnotherBoot: what was written before the machine was started again is not
// believed.
func TestAnotherBoot(t *testing.T) {
	path := t.TempDir()
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	appendText(t, v.box, "INBOX", "a", Flags{System: Seen})
	syncView(t, v, true)
	s := newStore(t, Options{})
	s.boot++
	w := sel(t, openBox(t, s, path), "INBOX", false)
	if w.At(1).ModSeq <= v.HighestModSeq() || list(w) != "1:S" {
		t.Errorf("got %s with modseq %d, want 1:S with one above %d", list(w), w.At(1).ModSeq, v.HighestModSeq())
	}
}

// TestIndexRemoved: after the index was removed under a folder that is in use, the
// texts of each message are made once more, not twice.
func TestIndexRemoved(t *testing.T) {
	for _, state := range []string{"resting", "loaded", "closed"} {
		t.Run(state, func(t *testing.T) {
			path := t.TempDir()
			b := openBox(t, newStore(t, Options{}), path)
			for i := range 6 {
				appendText(t, b, "INBOX", fmt.Sprint(i), Flags{System: Seen})
			}
			v := sel(t, b, "INBOX", false)
			made := func() (n int) {
				for seq := 1; seq <= v.Len(); seq++ {
					if _, ok := v.Kept(seq, Head, nil); !ok {
						n++
						v.Keep(seq, Texts{[]byte("s"), []byte("h"), bytes.Repeat([]byte("x"), 50<<10)})
					}
				}
				syncView(t, v, true)
				return n
			}
			if n := made(); n != 6 {
				t.Fatalf("at first: got %d, want 6", n)
			}
			switch state {
			case "resting":
				tire(v)
			case "closed":
				v.Close()
				closeIdle(b.store)
			}
			found, _ := filepath.Glob(path + "/posthorn.*")
			for _, name := range found {
				os.Remove(name)
			}
			if state == "closed" {
				v = sel(t, b, "INBOX", false)
			}
			sum := 0
			for range 3 {
				sum += made()
				if _, err := v.Store([]int{1}, Add, Flags{System: Flagged}); err != nil { // the index is written
					t.Fatal(err)
				}
				syncView(t, v, true)
				tire(v)
			}
			if sum != 6 {
				t.Errorf("got %d texts made, want 6", sum)
			}
			again := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
			if _, ok := again.Kept(6, Head, nil); !ok {
				t.Error("the next process has no texts")
			}
		})
	}
}

// TestTextsAreKeptAfterALock: that another process had the index for long is no reason
// to keep no texts any more.
func TestTextsAreKeptAfterALock(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "a", Flags{})
	v := sel(t, b, "INBOX", false)
	for end := time.Now().Add(10 * time.Second); !rests(v); tire(v) {
		if time.Now().After(end) {
			t.Fatal("does not rest")
		}
		syncView(t, v, true)
	}
	v.At(1)
	keep := func() {
		v.Keep(1, Texts{[]byte("text")})
		v.folder.mu.Lock()
		v.folder.save()
		v.folder.mu.Unlock()
	}
	cur, err := os.Open(path + "/cur")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(cur.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	keep()
	cur.Close()
	keep()
	if text, ok := v.Kept(1, Envelope, nil); !ok || string(text) != "text" {
		t.Errorf("got %q, %v", text, ok)
	}
}

// TestMessageThatIsThereAgain: the index holds each UID once, also when it is written
// as a whole.
func TestMessageThatIsThereAgain(t *testing.T) {
	path := t.TempDir()
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	for range 3 {
		appendText(t, v.box, "INBOX", "a", Flags{System: Seen})
	}
	syncView(t, v, true)
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Bury([]uint32{2}) // and found again by the same scan
	f.shape++
	f.rest.whole = true
	f.save()
	recs, whole, _ := f.rest.file.Load()
	if !whole || len(recs) != 3 {
		t.Errorf("got %d records, whole %v, want 3", len(recs), whole)
	}
}
