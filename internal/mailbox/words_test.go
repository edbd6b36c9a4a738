package mailbox

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// numbered returns keywords k0, k1, …
func numbered(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("k", i))
	}
	return names
}

// full returns a box whose INBOX has a message with all letters, and two others.
func full(t *testing.T, disk *durable.Disk) (b *Box, path string) {
	t.Helper()
	path = t.TempDir()
	b = openBox(t, newStore(t, Options{Disk: disk}), path)
	appendText(t, b, "INBOX", "letters", Flags{Keywords: numbered(26)})
	appendText(t, b, "INBOX", "two", Flags{})
	appendText(t, b, "INBOX", "three", Flags{})
	return b, path
}

// keywords returns a message's keywords but those with letters.
func keywords(v *View, seq int) string {
	return strings.Join(slices.DeleteFunc(v.At(seq).Flags.Keywords, func(k string) bool { return slices.Contains(numbered(26), k) }), " ")
}

// later opens the folder as another process would.
func later(t *testing.T, path, folder string) *View {
	t.Helper()
	return sel(t, openBox(t, newStore(t, Options{}), path), folder, true)
}

// TestWords sets, replaces and clears the keywords for which no letter is left.
func TestWords(t *testing.T) {
	b, path := full(t, nil)
	v := sel(t, b, "INBOX", false)
	other := sel(t, b, "INBOX", false)
	if !v.KeywordRoom() {
		t.Error("got no room for the 27th keyword")
	}
	for _, tt := range []struct {
		seq  int
		op   Op
		set  string
		want string // of all three messages
	}{
		{1, Add, "Project-X", "Project-X||"},
		{1, Add, "project-x", "Project-X||"},
		{2, Add, "PROJECT-X Other k3", "Project-X|Project-X Other|"},
		{3, Replace, "Other", "Project-X|Project-X Other|Other"},
		{2, Remove, "other k3", "Project-X|Project-X|Other"},
		{2, Replace, "Third", "Project-X|Third|Other"},
		{2, Replace, "", "Project-X||Other"},
		{3, Remove, "nothing", "Project-X||Other"},
	} {
		changed, err := v.Store([]int{tt.seq}, tt.op, Flags{Keywords: strings.Fields(tt.set)})
		if err != nil || len(changed) != 1 {
			t.Fatalf("%v: got %v, %v", tt, changed, err)
		}
		for name, v := range map[string]*View{"own": v, "later": later(t, path, "INBOX")} {
			if got := keywords(v, 1) + "|" + keywords(v, 2) + "|" + keywords(v, 3); got != tt.want {
				t.Errorf("%v: %s: got %s, want %s", tt, name, got, tt.want)
			}
		}
	}
	if got, want := v.Keywords(), append(numbered(26), "Project-X", "Other", "Third"); !slices.Equal(got, want) {
		t.Errorf("got the keywords %v, want %v", got, want)
	}
	if c := syncView(t, other, true); !c.KeywordsChanged || !slices.Equal(c.Flags, []int{1, 2, 3}) {
		t.Errorf("got %+v, want another session told", c)
	}
}

// TestWordsTravel: messages keep their words where they are copied to, and get
// letters where there are any.
func TestWordsTravel(t *testing.T) {
	b, path := full(t, nil)
	for _, name := range []string{"Empty", "Full"} {
		if err := b.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	appendText(t, b, "Full", "letters", Flags{Keywords: []string{
		"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "Mine"}})
	uid := appendText(t, b, "INBOX", "filed", Flags{System: Seen, Keywords: []string{"Mine", "k1", "More", "more"}})
	v := sel(t, b, "INBOX", false)
	if got := keywords(v, v.After(uid)); got != "Mine More" {
		t.Errorf("got %q for a filed message", got)
	}
	for _, name := range []string{"Empty", "Full", "INBOX"} {
		if _, _, _, err := v.Copy([]int{v.After(uid)}, name); err != nil {
			t.Fatal(err)
		}
		got := later(t, path, name)
		flags := got.At(got.Len()).Flags
		slices.Sort(flags.Keywords)
		if want := []string{"Mine", "More", "k1"}; !slices.Equal(flags.Keywords, want) || flags.System != Seen {
			t.Errorf("%s: got %v, want %v", name, flags, want)
		}
	}
	if _, err := os.Stat(path + "/.Empty/posthorn-state"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want letters where there is room", err)
	}
	if err := b.Rename("Full", "Renamed"); err != nil {
		t.Fatal(err)
	}
	r := later(t, path, "Renamed")
	if got := r.At(r.Len()).Flags.Keywords; len(got) != 3 {
		t.Errorf("got %v after a rename, want three", got)
	}
}

// TestWordsGo: lines of messages that are gone stay until they are many, for a
// power cut may bring such a message back.
func TestWordsGo(t *testing.T) {
	b, path := full(t, nil)
	v := sel(t, b, "INBOX", false)
	if _, err := v.Store([]int{1, 2, 3}, Add, Flags{Keywords: []string{"X"}}); err != nil {
		t.Fatal(err)
	}
	if err := v.Remove([]uint32{2}); err != nil {
		t.Fatal(err)
	}
	f := v.folder
	if got := len(f.state.All("keywords")); got != 3 {
		t.Errorf("got %d lines, want all 3 for now", got)
	}
	var b2 strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b2, "keywords 17.gone%d.h X\n", i)
	}
	file, err := os.OpenFile(path+"/posthorn-state", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.WriteString(b2.String())
	file.Close()
	disk, gone := &durable.Disk{}, false
	b = openBox(t, newStore(t, Options{Disk: disk}), path)
	v = sel(t, b, "INBOX", false)
	disk.Hook = func(op durable.Op) error {
		folder, _ := os.Readlink(op.Path)
		switch {
		case op.Name == "unlink" && !strings.Contains(op.Path, "posthorn-state"):
			gone = false
		case op.Name == "syncdir" && folder == path+"/cur":
			gone = true
		case op.Name == "sync" && strings.Contains(op.Path, "posthorn-state") && !gone:
			t.Error("words were taken away before their messages were gone for good")
		}
		return nil
	}
	if err := v.Remove([]uint32{3}); err != nil {
		t.Fatal(err)
	}
	if got := len(v.folder.state.All("keywords")); got != 1 {
		t.Errorf("got %d lines, want 1", got)
	}
	if got := keywords(later(t, path, "INBOX"), 1); got != "X" {
		t.Errorf("got %q, want X kept", got)
	}
}

// TestWordsLimit refuses one keyword more than a folder can have.
func TestWordsLimit(t *testing.T) {
	b, _ := full(t, nil)
	v := sel(t, b, "INBOX", false)
	names := make([]string, maxWords)
	for i := range names {
		names[i] = fmt.Sprint("w", i)
	}
	if _, err := v.Store([]int{2}, Add, Flags{Keywords: names}); err != nil || v.KeywordRoom() {
		t.Fatalf("got %v, room %v", err, v.KeywordRoom())
	}
	if _, err := v.Store([]int{3}, Add, Flags{Keywords: []string{"more"}}); !errors.Is(err, ErrKeywords) {
		t.Errorf("got %v, want ErrKeywords", err)
	}
	if _, err := v.Store([]int{3}, Add, Flags{Keywords: []string{"W7"}}); err != nil || keywords(v, 3) != "w7" {
		t.Errorf("got %v, %q for one that is there", err, keywords(v, 3))
	}
	if _, err := v.Store([]int{3}, Add, Flags{Keywords: []string{"(bad"}}); !errors.Is(err, ErrBadKeyword) {
		t.Errorf("got %v, want ErrBadKeyword", err)
	}
}

// TestWordsOfOthers: what is written into the file by hand is told to sessions.
func TestWordsOfOthers(t *testing.T) {
	b, path := full(t, nil)
	v := sel(t, b, "INBOX", false)
	f, uid := v.folder, v.At(2).UID
	f.mu.Lock()
	key := string(unique(f.Base(f.Find(uid))))
	f.mu.Unlock()
	if err := os.WriteFile(path+"/posthorn-state", []byte("keywords "+key+" By-Hand (bad k1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deliver(t, path, "1700000009.x.h", "new") // has the folder read
	c := syncView(t, v, true)
	if !slices.Equal(c.Flags, []int{2}) || !c.KeywordsChanged {
		t.Errorf("got %+v", c)
	}
	if got := v.At(2).Flags.Keywords; !slices.Equal(got, []string{"By-Hand", "k1"}) {
		t.Errorf("got %v", got)
	}
	// A letter's name that the file has for a message as well goes once.
	if _, err := v.Store([]int{2}, Add, Flags{Keywords: []string{"K1"}}); err != nil {
		t.Fatal(err)
	}
	if got := v.At(2).Flags.Keywords; len(got) != 2 {
		t.Errorf("got %v, want k1 once", got)
	}
	if _, err := v.Store([]int{2}, Remove, Flags{Keywords: []string{"K1"}}); err != nil || keywords(v, 2) != "By-Hand" || len(v.At(2).Flags.Keywords) != 1 {
		t.Errorf("got %v, %v, want k1 gone", v.At(2).Flags, err)
	}
}

// TestWordsOfAnotherNode: with mail-shared a change that only posthorn-state shows
// is told at the next look.
func TestWordsOfAnotherNode(t *testing.T) {
	_, path := full(t, nil)
	here := sel(t, openBox(t, newStore(t, Options{Shared: true, Node: "a"}), path), "INBOX", false)
	there := sel(t, openBox(t, newStore(t, Options{Shared: true, Node: "b"}), path), "INBOX", false)
	syncView(t, there, true)
	for _, op := range []Op{Add, Remove} {
		if _, err := here.Store([]int{2}, op, Flags{Keywords: []string{"X"}}); err != nil {
			t.Fatal(err)
		}
		c := syncView(t, there, true)
		if got, want := keywords(there, 2), keywords(here, 2); got != want || !slices.Equal(c.Flags, []int{2}) {
			t.Errorf("got %q, %+v, want %q told", got, c, want)
		}
	}
}

// TestWordsFaults fails each step of a filing, a change and a copy: memory is
// what the files are, and what was answered is there.
func TestWordsFaults(t *testing.T) {
	for _, op := range []string{"append", "store", "copy"} {
		for step := 1; ; step++ {
			disk := &durable.Disk{}
			b, path := full(t, disk)
			v := sel(t, b, "INBOX", false)
			if _, err := v.Store([]int{2}, Add, Flags{Keywords: []string{"X"}}); err != nil {
				t.Fatal(err)
			}
			n := 0
			disk.Hook = func(o durable.Op) error {
				if o.Name == "unlink" && strings.HasSuffix(o.Path, ".lock") {
					return nil
				}
				if n++; n == step {
					return unix.EIO
				}
				return nil
			}
			var err error
			m := text("new")
			seq := 4
			switch op {
			case "append":
				_, _, err = b.Append("INBOX", Incoming{Reader: strings.NewReader(m), Size: int64(len(m)), Flags: Flags{Keywords: []string{"X"}}})
			case "store":
				_, err = v.Store([]int{3}, Add, Flags{Keywords: []string{"X"}})
				seq = 3
			case "copy":
				_, _, _, err = v.Copy([]int{2}, "INBOX")
			}
			disk.Hook = nil
			syncView(t, v, true)
			w := later(t, path, "INBOX")
			if err == nil && keywords(w, seq) != "X" {
				t.Errorf("%s step %d: got %q, want X", op, step, keywords(w, seq))
			}
			if got, want := list(w), strings.ReplaceAll(list(v), "+", ""); strings.ReplaceAll(got, "+", "") != want {
				t.Errorf("%s step %d: got %q in the files, %q in memory", op, step, got, want)
			}
			if n < step {
				break
			}
		}
	}
}

// TestWordsOfCourier: its keywords beyond the letters are kept.
func TestWordsOfCourier(t *testing.T) {
	path := courierBox(t)
	os.WriteFile(path+"/courierimapkeywords/1700000001.a", []byte(strings.Join(numbered(60), "\n")), 0o600)
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	got := map[string]bool{}
	for _, k := range v.At(1).Flags.Keywords {
		got[k] = true
	}
	want := map[string]bool{}
	for _, k := range numbered(60) {
		want[k] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %d keywords, want 60", len(got))
	}
}

// TestWordsOfStrangers: a posthorn-state may be as large as it can, and have a keyword
// for each message: the folder opens at once.
func TestWordsOfStrangers(t *testing.T) {
	path := t.TempDir()
	var state strings.Builder
	state.WriteString("posthorn-state 1\n")
	n := 0
	for line := 0; state.Len() < 3900<<10; line++ {
		fmt.Fprintf(&state, "keywords 17000.%d.x", line)
		for range 100 {
			fmt.Fprintf(&state, " k%d", n)
			n++
		}
		state.WriteString("\n")
	}
	deliver(t, path, "17000.1.x", "one")
	if err := os.WriteFile(path+"/posthorn-state", []byte(state.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("%d keywords took %v", n, took)
	}
	if got := len(v.Keywords()); got != n || len(v.At(1).Flags.Keywords) != 100 {
		t.Errorf("got %d keywords, want %d", got, n)
	}
}
