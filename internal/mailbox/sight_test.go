package mailbox

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// settle makes the folder's times so old that every later change shows.
func settle(t *testing.T, path string) {
	t.Helper()
	past := time.Now().Add(-time.Hour)
	for _, name := range []string{"", "new", "cur", "dovecot-uidlist", "posthorn-state"} {
		if err := os.Chtimes(filepath.Join(path, name), past, past); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// TestStatusRemembers: what was counted is not counted again while it stands, and
// whatever others do to the files is seen at once.
func TestStatusRemembers(t *testing.T) {
	for name, change := range map[string]struct {
		do   func(path string) error
		want func(*Status)
	}{
		"nothing": {
			do:   func(string) error { return nil },
			want: func(*Status) {},
		},
		"flag": {
			do:   func(path string) error { return rename(path+"/cur/*:2,D", "S") },
			want: func(st *Status) { st.Unseen-- },
		},
		"removed": {
			do: func(path string) error {
				files, _ := filepath.Glob(path + "/cur/*")
				return os.Remove(files[0])
			},
			want: func(st *Status) { st.Messages--; st.Unseen--; st.Size = 0 },
		},
		"no list": {
			do:   func(path string) error { return os.Remove(path + "/dovecot-uidlist") },
			want: nil, // another UIDVALIDITY
		},
		"no folder": {
			do:   os.RemoveAll,
			want: nil,
		},
	} {
		path := t.TempDir()
		s := newStore(t, Options{})
		b := openBox(t, s, path)
		if err := b.Create("Work"); err != nil {
			t.Fatal(err)
		}
		appendText(t, b, "Work", "one", Flags{System: Draft})
		sel(t, b, "Work", false).Close() // nothing is recent any more
		folder := path + "/.Work"
		first, err := b.Status("Work")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // a folder of other times is read anew, and its list may be written
			s.forget()
			settle(t, folder)
			b.Status("Work")
		}
		s.forget()
		again, err := b.Status("Work")
		if err != nil || again.Messages != 1 || again.UIDValidity != first.UIDValidity {
			t.Fatalf("%s: got %+v, %v, want as before %+v", name, again, err, first)
		}
		if len(s.folders) != 0 {
			t.Errorf("%s: the folder was opened for what was known", name)
		}
		if err := change.do(folder); err != nil {
			t.Fatal(err)
		}
		got, err := b.Status("Work")
		if change.want == nil {
			if err == nil && got == again {
				t.Errorf("%s: got %+v as before", name, got)
			}
			continue
		}
		want := again
		change.want(&want)
		if changed := name != "nothing"; changed != (got.HighestModSeq > want.HighestModSeq) {
			t.Errorf("%s: got the modseq %d after %d", name, got.HighestModSeq, want.HighestModSeq)
		}
		want.HighestModSeq = got.HighestModSeq
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// rename puts end behind the name of the file that matches pattern.
func rename(pattern, end string) error {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return os.ErrNotExist
	}
	return os.Rename(files[0], files[0]+end)
}

// TestStatusOfYoung: of a folder that changed a moment ago nothing is remembered,
// for the next change may leave the same time.
func TestStatusOfYoung(t *testing.T) {
	s := newStore(t, Options{})
	b := openBox(t, s, t.TempDir())
	if err := b.Create("Work"); err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(b.root.Path+"/.Work/cur", future, future); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := b.Status("Work"); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.sights.known) != 0 {
		t.Error("a count was remembered")
	}
}

// TestFoldersRemembers: the names are read once while the root stands.
func TestFoldersRemembers(t *testing.T) {
	path := t.TempDir()
	s := newStore(t, Options{})
	b := openBox(t, s, path)
	list := func() []string {
		t.Helper()
		names, err := b.Folders()
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if err := b.Create("Work"); err != nil {
		t.Fatal(err)
	}
	settle(t, path)
	got := list()
	got[0] = "the caller's"
	if got, want := list(), []string{"INBOX", "Work"}; !reflect.DeepEqual(got, want) || len(s.rolls.known) != 1 {
		t.Errorf("got %q, %d remembered, want %q and 1", got, len(s.rolls.known), want)
	}
	os.Mkdir(path+"/.Later", 0o700)
	settle(t, path)
	if got, want := list(), []string{"INBOX", "Work"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	os.Mkdir(path+"/.Later/cur", 0o700) // leaves no trace in the root
	if got, want := list(), []string{"INBOX", "Later", "Work"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := os.RemoveAll(path + "/.Work"); err != nil {
		t.Fatal(err)
	}
	if got, want := list(), []string{"INBOX", "Later"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMemory(t *testing.T) {
	m := newMemory[int, string](3)
	a, b, c := fileID{1, 1}, fileID{1, 2}, fileID{1, 3}
	m.put(a, 7, "a", 1)
	m.put(b, 7, "b", 2)
	if got, ok := m.get(a, 7); !ok || got != "a" {
		t.Errorf("got %q, %v, want a", got, ok)
	}
	if _, ok := m.get(a, 8); ok {
		t.Error("got an answer of another proof")
	}
	m.put(a, 8, "A", 1)
	if got, ok := m.get(a, 8); !ok || got != "A" || m.size != 3 {
		t.Errorf("got %q, %v, size %d, want A, true and 3", got, ok, m.size)
	}
	m.put(c, 7, "c", 3)
	if got, ok := m.get(c, 7); !ok || got != "c" || len(m.known) != 1 {
		t.Errorf("got %q, %v, %d known, want c alone", got, ok, len(m.known))
	}
	m.put(b, 7, "b", 4)
	if len(m.known) != 0 || m.size != 0 {
		t.Errorf("got %d of size %d, want none: it has no room", len(m.known), m.size)
	}
}

// TestStatusOfLateMail: mail that got no UID is counted once it can get one.
func TestStatusOfLateMail(t *testing.T) {
	path := t.TempDir()
	full := false
	disk := &durable.Disk{Hook: func(durable.Op) error {
		if full {
			return unix.ENOSPC
		}
		return nil
	}}
	b := openBox(t, newStore(t, Options{Disk: disk}), path)
	appendText(t, b, "INBOX", "a", Flags{})
	v := sel(t, b, "INBOX", false) // which takes \Recent
	deliver(t, path, "1.a.x", "b")
	settle(t, path)
	v.Close()
	full = true
	if st, err := b.Status("INBOX"); err != nil || st.Messages != 1 {
		t.Fatalf("got %+v, %v, want the message that has a UID", st, err)
	}
	full = false
	if st, err := b.Status("INBOX"); err != nil || st.Messages != 2 {
		t.Errorf("with room again: got %+v, %v, want 2 messages", st, err)
	}
}
