package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/durable"
)

// keeping returns a box that keeps what is removed, and its path.
func keeping(t testing.TB, disk *durable.Disk) (*Box, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Maildir")
	s := newStore(t, Options{Disk: disk})
	s.KeepRemoved(time.Hour)
	return openBox(t, s, path), path
}

// kept lists what is in the attic, as "subject flags" by folder.
func kept(t testing.TB, b *Box) []string {
	t.Helper()
	all, err := b.Kept()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range all {
		box, err := b.OpenKept(k)
		if err != nil {
			t.Fatal(err)
		}
		folders, err := box.Folders()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range folders {
			out = append(out, inside(t, box, name)...)
		}
		box.Close()
	}
	slices.Sort(out)
	return out
}

// inside lists the messages of a folder as "folder: subject flags".
func inside(t testing.TB, b *Box, name string) (out []string) {
	t.Helper()
	v, err := b.Select(name, true)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.At(seq)
		out = append(out, fmt.Sprintf("%s: %s %d %v", name, subject(t, v, seq), m.Flags.System, m.Flags.Keywords))
	}
	return out
}

func subject(t testing.TB, v *View, seq int) string {
	t.Helper()
	m, err := v.Open(seq)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	buf := make([]byte, m.Size())
	if _, err := m.ReadAt(buf, 0); err != nil {
		t.Fatal(err)
	}
	_, s, _ := strings.Cut(string(buf), "Subject: ")
	s, _, _ = strings.Cut(s, "\r\n")
	return s
}

func expunge(t testing.TB, v *View, uids ...uint32) {
	t.Helper()
	if err := v.Remove(uids); err != nil {
		t.Fatal(err)
	}
}

func wantLines(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// letters are keywords for all letters of a folder.
func allLetters() (names []string) {
	for n := range 26 {
		names = append(names, fmt.Sprintf("k%d", n))
	}
	return names
}

func TestExpungedIsKept(t *testing.T) {
	b, path := keeping(t, nil)
	one := appendText(t, b, "INBOX", "one", Flags{System: Seen | Deleted, Keywords: []string{"Blue", "Red"}})
	appendText(t, b, "INBOX", "stays", Flags{Keywords: []string{"Red"}})
	if err := b.Create("Work.2024"); err != nil {
		t.Fatal(err)
	}
	appendText(t, b, "Work.2024", "letters", Flags{Keywords: allLetters()})
	two := appendText(t, b, "Work.2024", "two", Flags{Keywords: []string{"Word", "k3"}})
	deliver(t, path, "1700000000.new.x", "new")
	v, w := sel(t, b, "INBOX", false), sel(t, b, "Work.2024", false)
	expunge(t, v, one)
	expunge(t, w, two)
	expunge(t, v, v.At(3).UID)
	wantLines(t, "attic", kept(t, b), []string{"INBOX: new 0 []", "INBOX: one 18 [Blue Red]", "Work.2024: two 0 [k3 Word]"})
	wantLines(t, "INBOX", inside(t, b, "INBOX"), []string{"INBOX: stays 0 [Red]"})
	folders, err := b.Folders()
	if want := []string{"INBOX", "Work.2024"}; err != nil || !slices.Equal(folders, want) {
		t.Errorf("got folders %q, %v, want %q", folders, err, want)
	}
}

// TestAtticAfresh has keywords whose letters in the attic are others than in the
// folder, and files of one name.
func TestAtticAfresh(t *testing.T) {
	b, path := keeping(t, nil)
	v := sel(t, b, "INBOX", false)
	for _, word := range []string{"First", "Second"} {
		deliver(t, path, "1700000000.same.x", word)
		syncView(t, v, true)
		if _, err := v.Store([]int{1}, Add, Flags{Keywords: []string{word}}); err != nil {
			t.Fatal(err)
		}
		expunge(t, v, v.At(1).UID)
		syncView(t, v, true)
		if err := os.Remove(filepath.Join(path, "dovecot-keywords")); err != nil {
			t.Fatal(err)
		}
	}
	wantLines(t, "attic", kept(t, b), []string{"INBOX: First 0 [First]", "INBOX: Second 0 [Second]"})
}

// TestSweptMeanwhile: what is removed goes to a new place when another process removes
// the one that it went to.
func TestSweptMeanwhile(t *testing.T) {
	for _, gone := range []string{"", "tmp", "cur"} {
		b, path := keeping(t, nil)
		for _, text := range []string{"one", "two", "three"} {
			appendText(t, b, "INBOX", text, Flags{})
		}
		v := sel(t, b, "INBOX", false)
		removed := removal{keeper: b}
		if err := v.remove([]uint32{1}, &removed); err != nil {
			t.Fatal(err)
		}
		place := filepath.Join(path, removed.shelf.day, removed.shelf.disk, gone)
		if gone == "" {
			place = filepath.Join(path, Attic)
		}
		if err := os.RemoveAll(place); err != nil {
			t.Fatal(err)
		}
		if err := v.remove([]uint32{2, 3}, &removed); err != nil {
			t.Fatal(err)
		}
		removed.close()
		if c := syncView(t, v, true); len(c.Expunged) != 3 || v.Len() != 0 {
			t.Errorf("without %q: got %+v and %d messages left, want none", gone, c, v.Len())
		}
		want := 2
		if gone == "tmp" {
			want = 3
		}
		if got := kept(t, b); len(got) != want {
			t.Errorf("without %q: got %q, want %d messages", gone, got, want)
		}
	}
}

func TestNothingIsKeptOfWhatMoves(t *testing.T) {
	b, path := keeping(t, nil)
	one := appendText(t, b, "INBOX", "one", Flags{})
	other := openBox(t, b.store, filepath.Join(t.TempDir(), "Maildir"))
	v := sel(t, b, "INBOX", false)
	if err := v.RemoveMoved([]uint32{one}, b); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(path, Attic)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("within the box: got %v, want no attic", err)
	}
	two := appendText(t, b, "INBOX", "two", Flags{})
	if err := v.RemoveMoved([]uint32{two}, other); err != nil {
		t.Fatal(err)
	}
	wantLines(t, "to another box", kept(t, b), []string{"INBOX: two 0 []"})
	wantLines(t, "the other box", kept(t, other), nil)
}

func TestNotKept(t *testing.T) {
	b, path := keeping(t, nil)
	b.store.KeepRemoved(0)
	v := sel(t, b, "INBOX", false)
	expunge(t, v, appendText(t, b, "INBOX", "one", Flags{}))
	if err := b.Create("Work"); err != nil {
		t.Fatal(err)
	}
	appendText(t, b, "Work", "two", Flags{})
	if err := b.Delete("Work"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(path, Attic)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no attic", err)
	}
}

func TestGiveBack(t *testing.T) {
	b, _ := keeping(t, nil)
	uid := appendText(t, b, "INBOX", "one", Flags{System: Flagged | Deleted, Keywords: []string{"Blue"}})
	v := sel(t, b, "INBOX", false)
	was, err := v.Measure(1)
	if err != nil {
		t.Fatal(err)
	}
	id, err := v.EmailID(1)
	if err != nil {
		t.Fatal(err)
	}
	expunge(t, v, uid)
	syncView(t, v, true)
	all, err := b.Kept()
	if err != nil || len(all) != 1 || all[0].Folder {
		t.Fatalf("got %v, %v, want one day", all, err)
	}
	box, err := b.OpenKept(all[0])
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	if err := sel(t, box, "INBOX", false).GiveBack([]int{1}, b, "INBOX"); err != nil {
		t.Fatal(err)
	}
	wantLines(t, "attic", kept(t, b), nil)
	syncView(t, v, true)
	m, err := v.Measure(1)
	if err != nil || m.UID <= uid || m.Flags.System != Flagged || fmt.Sprint(m.Flags.Keywords) != "[Blue]" || !m.Date.Equal(was.Date) {
		t.Errorf("got %+v, %v, want the message of before with a new UID, and not deleted: %+v", m, err, was)
	}
	if got, err := v.EmailID(1); got != id || err != nil {
		t.Errorf("got the id %s, %v, want %s", got, err, id)
	}
}

func TestDeletedFolderIsKept(t *testing.T) {
	b, path := keeping(t, nil)
	if err := errors.Join(b.Create("Work"), b.Create("Work.below"), b.Create("Empty")); err != nil {
		t.Fatal(err)
	}
	uid := appendText(t, b, "Work", "one", Flags{Keywords: []string{"Blue"}})
	size := filepath.Join(path, "maildirsize")
	if err := os.WriteFile(size, []byte("1000S\n500 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Delete("Work"), b.Delete("Empty")); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete("Work"); !errors.Is(err, ErrNoFolder) {
		t.Errorf("again: got %v, want %v", err, ErrNoFolder)
	}
	wantLines(t, "attic", kept(t, b), []string{"Work: one 0 [Blue]"})
	all, err := b.Kept()
	if err != nil || len(all) != 1 || !all[0].Folder {
		t.Fatalf("got %v, %v, want one folder", all, err)
	}
	if err := b.ReturnFolder(all[0], "Work", "Work.below"); !errors.Is(err, ErrExists) {
		t.Errorf("to a name in use: got %v, want %v", err, ErrExists)
	}
	if err := b.ReturnFolder(all[0], "Work", "Play"); err != nil {
		t.Fatal(err)
	}
	if v := sel(t, b, "Play", true); v.Len() != 1 || v.At(1).UID != uid {
		t.Errorf("got %d messages, UID %d, want the one with UID %d", v.Len(), v.At(1).UID, uid)
	}
	one := len(strings.ReplaceAll(text("one"), "\r\n", "\n"))
	want := fmt.Sprintf("1000S\n500 5\n-%d -1\n%d 1\n", one, one)
	if got, err := os.ReadFile(size); err != nil || string(got) != want {
		t.Errorf("maildirsize: got %q, %v, want %q", got, err, want)
	}
}

func TestSweep(t *testing.T) {
	b, path := keeping(t, nil)
	v := sel(t, b, "INBOX", false)
	expunge(t, v, appendText(t, b, "INBOX", "one", Flags{}))
	attic := filepath.Join(path, Attic)
	for _, name := range []string{"2020-01-01/.Work/cur", "2020-01-02T030405.x/.Play/cur", "mine", "2020-01-01T"} {
		if err := os.MkdirAll(filepath.Join(attic, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	today := time.Now().UTC().Format(dayLayout)
	names := func() (all []string) {
		entries, err := os.ReadDir(attic)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, e.Name())
		}
		return all
	}
	if err := b.Create("Work"); err != nil {
		t.Fatal(err)
	}
	// The first of a day's messages from a folder sweeps.
	expunge(t, sel(t, b, "Work", false), appendText(t, b, "Work", "two", Flags{}))
	wantLines(t, "a new place", names(), []string{"2020-01-01T", today, "mine"})
	if err := b.Sweep(time.Now().Add(59 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	wantLines(t, "within the hour", names(), []string{"2020-01-01T", today, "mine"})
	if err := b.Sweep(time.Now().Add(25 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantLines(t, "a day and an hour later", names(), []string{"2020-01-01T", "mine"})
	expunge(t, v, appendText(t, b, "INBOX", "three", Flags{}))
	b.store.KeepRemoved(0)
	if err := b.Sweep(time.Now()); err != nil {
		t.Fatal(err)
	}
	wantLines(t, "when nothing is kept", names(), []string{"2020-01-01T", "mine"})
}

// TestKeepingFails fails each step of an expunge in turn: the message is in the
// folder or in the attic, with all it has, and an error says that it stayed.
func TestKeepingFails(t *testing.T) {
	for _, broken := range []error{unix.EIO, unix.ENOSPC, unix.EXDEV} {
		for step := 1; ; step++ {
			disk := new(durable.Disk)
			b, _ := keeping(t, disk)
			appendText(t, b, "INBOX", "letters", Flags{Keywords: allLetters()})
			uid := appendText(t, b, "INBOX", "one", Flags{System: Seen, Keywords: []string{"Word", "k1"}})
			v := sel(t, b, "INBOX", false)
			n := 0
			disk.Hook = func(op durable.Op) error {
				if n++; n == step || broken == unix.EXDEV && op.Name == "rename" && n == step {
					return broken
				}
				return nil
			}
			err := v.Remove([]uint32{uid})
			disk.Hook = nil
			there, away := inside(t, b, "INBOX")[1:], kept(t, b)
			if len(there)+len(away) < 1 || err == nil && len(there) > 0 {
				t.Fatalf("%v at step %d: got %v, %q in the folder and %q in the attic", broken, step, err, there, away)
			}
			for _, line := range append(there, away...) {
				if want := "INBOX: one 16 [k1 Word]"; line != want {
					t.Errorf("%v at step %d: got %q, want %q", broken, step, line, want)
				}
			}
			if n < step {
				if step < 8 {
					t.Errorf("got only %d steps: the hook does not see the disk", step)
				}
				break
			}
		}
	}
}

func TestExpungeIf(t *testing.T) {
	b, _ := keeping(t, nil)
	for _, s := range []string{"a", "b", "c"} {
		appendText(t, b, "INBOX", s, Flags{})
	}
	n, err := b.ExpungeIf("INBOX", func(v *View, seq int, _ Message) (bool, error) { return subject(t, v, seq) != "b", nil })
	if n != 2 || err != nil {
		t.Errorf("got %d, %v, want 2", n, err)
	}
	wantLines(t, "INBOX", inside(t, b, "INBOX"), []string{"INBOX: b 0 []"})
	if v := sel(t, b, "INBOX", false); v.Recent() != 1 {
		t.Errorf("got %d recent, want 1", v.Recent())
	}
	if _, err := b.ExpungeIf("None", nil); !errors.Is(err, ErrNoFolder) {
		t.Errorf("got %v, want %v", err, ErrNoFolder)
	}
}

// TestAtticIsNotCounted: whoever is at his limit gets room by removing.
func TestAtticIsNotCounted(t *testing.T) {
	b, _ := keeping(t, nil)
	b.Limit(conf.Quota{Messages: 2, Mailboxes: 2})
	if err := b.Create("Work"); err != nil {
		t.Fatal(err)
	}
	uid := appendText(t, b, "INBOX", "one", Flags{})
	appendText(t, b, "Work", "two", Flags{})
	if err := b.Room(1, 1); !errors.Is(err, ErrOverQuota) {
		t.Errorf("full: got %v, want %v", err, ErrOverQuota)
	}
	expunge(t, sel(t, b, "INBOX", false), uid)
	if err := b.Delete("Work"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // as noted, and as counted
		if u, err := b.Usage(); err != nil || u.Messages != 0 || u.Bytes != 0 || u.Mailboxes != 1 {
			t.Errorf("got %+v, %v, want nothing", u, err)
		}
		if err := b.Recount(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStowingFails fails each step of a folder's deletion in turn: the folder is
// there or in the attic.
func TestStowingFails(t *testing.T) {
	for step := 1; ; step++ {
		disk := new(durable.Disk)
		b, _ := keeping(t, disk)
		if err := b.Create("Work"); err != nil {
			t.Fatal(err)
		}
		appendText(t, b, "Work", "one", Flags{})
		n := 0
		disk.Hook = func(durable.Op) error {
			if n++; n == step {
				return unix.EIO
			}
			return nil
		}
		err := b.Delete("Work")
		disk.Hook = nil
		there, away := false, kept(t, b)
		if there, _ = b.Exists("Work"); there == (len(away) == 1) || there == (err == nil) {
			t.Errorf("step %d: got %v, in its place %v, in the attic %q", step, err, there, away)
		}
		if n < step {
			if step < 6 {
				t.Errorf("got only %d steps: the hook does not see the disk", step)
			}
			return
		}
	}
}
