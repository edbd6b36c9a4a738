package mailbox

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// names returns what the Maildir holds beside its own new/, cur/ and tmp/.
func names(t *testing.T, path string) (dirs []string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name()[0] == '.' {
			dirs = append(dirs, e.Name())
		}
	}
	return dirs
}

func TestDelete(t *testing.T) {
	path, elsewhere := t.TempDir(), t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for _, name := range []string{"A", "A.child", "B"} {
		b.Create(name)
	}
	os.WriteFile(path+"/maildirsize", []byte("1000000S\n100 1\n"), 0o600)
	appendText(t, b, "A", "a", Flags{})
	appendText(t, b, "A", "b", Flags{System: Seen})
	os.WriteFile(elsewhere+"/kept", nil, 0o600)
	os.Symlink(elsewhere, path+"/.A/link")
	os.MkdirAll(path+"/.A/courierimapkeywords/x", 0o700)
	os.MkdirAll(path+"/tmp/posthorn-trash.old/cur", 0o700) // left by a crash
	v, other := sel(t, b, "A", false), sel(t, b, "B", false)
	body, err := v.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	told := bell(v)
	if err := b.Delete("A"); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, path), []string{".A.child", ".B"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if left, _ := os.ReadDir(path + "/tmp"); len(left) > 0 {
		t.Errorf("got %q left over", left)
	}
	if _, err := os.Stat(elsewhere + "/kept"); err != nil {
		t.Errorf("behind a symbolic link: %v", err)
	}
	checkQuota(t, path)
	select {
	case <-told:
	default:
		t.Error("the session in it was not woken")
	}
	if _, err := v.Sync(true); !errors.Is(err, ErrNoFolder) {
		t.Errorf("got %v, want ErrNoFolder", err)
	}
	if _, err := v.Store([]int{1}, Add, Flags{System: Seen}); !errors.Is(err, ErrNoFolder) {
		t.Errorf("got %v, want ErrNoFolder", err)
	}
	if p := make([]byte, 4); body.Size() == 0 {
		t.Error("an open message is empty")
	} else if _, err := body.ReadAt(p, 0); err != nil {
		t.Errorf("an open message: %v", err)
	}
	if c := syncView(t, other, true); !c.Empty() {
		t.Errorf("another folder: got %+v", c)
	}
	for name, want := range map[string]error{"A": ErrNoFolder, "inbox": ErrBadName, "..": ErrBadName, "nix": ErrNoFolder} {
		if err := b.Delete(name); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	b.Create("A")
	if w := sel(t, b, "A", false); w.Len() != 0 || w.UIDValidity() <= v.UIDValidity() {
		t.Errorf("made again: got %d messages, UIDVALIDITY %d after %d", w.Len(), w.UIDValidity(), v.UIDValidity())
	}
}

// checkQuota wants two messages added one by one and taken off at once.
func checkQuota(t *testing.T, path string) {
	t.Helper()
	sum := 0
	size, _ := os.ReadFile(path + "/maildirsize")
	for _, line := range strings.Split(strings.TrimSpace(string(size)), "\n")[2:] {
		if strings.HasPrefix(line, "-") {
			sum--
		} else {
			sum++
		}
	}
	if sum != 1 || !strings.HasSuffix(string(size), " -2\n") {
		t.Errorf("got maildirsize %q, want the two messages taken off at once", size)
	}
}

func TestRename(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for _, name := range []string{"A", "A.x", "A.x.y", "AB", "Taken.x"} {
		b.Create(name)
	}
	appendText(t, b, "A.x", "one", Flags{System: Flagged})
	v := sel(t, b, "A.x", false)
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"A", "Taken", ErrExists}, {"A", "A", ErrExists}, {"A", "inbox", ErrExists}, {"A", "A.z", ErrBadName},
		{"A", "b*", ErrBadName}, {"A", "b..c", ErrBadName}, {"nix", "b", ErrNoFolder}, {"A.x.y", "B.é", nil},
		{"A", "New.A", nil}, {"New", "N", nil}, // New has only folders below it
	} {
		if err := b.Rename(c.from, c.to); !errors.Is(err, c.want) {
			t.Errorf("%s to %s: got %v, want %v", c.from, c.to, err, c.want)
		}
	}
	got, err := b.Folders()
	if want := []string{"INBOX", "AB", "B.é", "N.A", "N.A.x", "Taken.x"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := v.Sync(true); !errors.Is(err, ErrNoFolder) {
		t.Errorf("got %v, want ErrNoFolder", err)
	}
	w := sel(t, b, "N.A.x", false)
	if list(w) != "1:F+" && list(w) != "1:F" || w.UIDValidity() != v.UIDValidity() {
		t.Errorf("got %q V %d, want the message with its UID and V %d", list(w), w.UIDValidity(), v.UIDValidity())
	}
	v.Close() // closes the folder as it was, not as it is now
	appendText(t, b, "N.A.x", "two", Flags{})
	if c := syncView(t, w, true); c.Exists != 2 {
		t.Errorf("got %+v, want the new message", c)
	}
}

func TestRenameInbox(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	b.Create("Taken")
	b.Create("INBOX.below")
	appendText(t, b, "INBOX", "one", Flags{System: Deleted})
	appendText(t, b, "INBOX", "two", Flags{Keywords: []string{"k"}})
	v := sel(t, b, "INBOX", false)
	if err := b.Rename("inbox", "Taken"); !errors.Is(err, ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	if err := b.Rename("inbox", "Old"); err != nil {
		t.Fatal(err)
	}
	if c := syncView(t, v, true); !reflect.DeepEqual(c.Expunged, []int{2, 1}) {
		t.Errorf("got %+v, want both gone from INBOX", c)
	}
	w := sel(t, b, "Old", true)
	if w.Len() != 2 || subjectOf(content(t, w, 1)) != "one" || w.At(1).Flags.System != Deleted || len(w.At(2).Flags.Keywords) != 1 {
		t.Errorf("got %d messages: %q", w.Len(), list(w))
	}
	if ok, _ := b.Exists("INBOX.below"); !ok {
		t.Error("a folder below INBOX is gone")
	}
	if err := b.Rename("INBOX", "Empty"); err != nil {
		t.Errorf("an empty INBOX: %v", err)
	}
}

// TestRenameFaults: what fails is as if it had not been asked for.
func TestRenameFaults(t *testing.T) {
	for _, failing := range []string{"rename 1", "rename 2", "syncdir 1"} {
		path := t.TempDir()
		armed, seen := false, map[string]int{}
		disk := &durable.Disk{Hook: func(op durable.Op) error {
			if !armed {
				return nil
			}
			seen[op.Name]++
			if failing == op.Name+" "+string(rune('0'+seen[op.Name])) {
				return unix.EIO
			}
			return nil
		}}
		b := openBox(t, newStore(t, Options{Disk: disk}), path)
		b.Create("A")
		b.Create("A.x")
		appendText(t, b, "A.x", "one", Flags{})
		for _, name := range []string{"rename", "delete"} {
			if name == "delete" && failing == "rename 2" {
				continue // it has only one
			}
			run := func() error { return b.Rename("A", "B") }
			if name == "delete" {
				run = func() error { return b.Delete("A.x") }
			}
			armed, seen = true, map[string]int{}
			err := run()
			armed = false
			if got, want := names(t, path), []string{".A", ".A.x"}; err == nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: got %q, %v, want %q and an error", name, failing, got, err, want)
			}
			if files, _ := filepath.Glob(path + "/.A.x/*/*S=*"); len(files) != 1 {
				t.Errorf("%s, %s: got messages %q", name, failing, files)
			}
		}
	}
}

// TestRenamedAfterForgotten: what was known of a folder when it was last closed
// is not what a new look at it begins with once it was open again.
func TestRenamedAfterForgotten(t *testing.T) {
	path := t.TempDir()
	s := newStore(t, Options{})
	b := openBox(t, s, path)
	b.Create("A")
	appendText(t, b, "A", "one", Flags{System: Seen})
	s.forget()
	uid := appendText(t, b, "A", "two", Flags{})
	v := sel(t, b, "A", false)
	if err := v.Remove([]uint32{uid}); err != nil {
		t.Fatal(err)
	}
	v.Close()
	if err := b.Rename("A", "B"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path + "/.B/dovecot-uidlist")
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path+"/.B/dovecot-uidlist", content[:strings.Index(string(content), "\n2 ")+1], 0o600)
	w := sel(t, b, "B", false)
	if w.Recent() != 0 {
		t.Errorf("got %d recent messages, want none: a session had them", w.Recent())
	}
	if got := appendText(t, b, "B", "three", Flags{}); got <= uid {
		t.Errorf("got UID %d, which message %d may have had", got, uid)
	}
}
