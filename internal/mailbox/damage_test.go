package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

func TestJunkInTheFolder(t *testing.T) {
	path := t.TempDir()
	long := strings.Repeat("x", 250)
	for _, name := range []string{"1.a.x:2,S", "2.b.x", "3.c.x:2,SR", "4.d.x:2,S,tail", "5.e.x:1,z", "6.f.x:2,XS", "7 g:2,",
		"line\nend:2,", ".hidden", ":2,S", long + ":2,S", "8.h.x,S=x,W=-1:2,", "9.i.x,S=99999999999999999999:2,"} {
		putFile(t, path, name, "A: b\n\nc\n")
	}
	for _, sub := range []string{"cur/folder:2,", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(path, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("1.a.x:2,S", path+"/cur/link:2,")
	unix.Mkfifo(path+"/cur/fifo:2,", 0o600)
	if err := os.WriteFile(path+"/new/"+long+"12345", []byte("A: b\n\nc\n"), 0o600); err != nil { // no room for ":2,"
		t.Fatal(err)
	}
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if v.Len() != 11 {
		t.Errorf("got %d messages, want 11: %s", v.Len(), list(v))
	}
	for seq := 1; seq <= v.Len(); seq++ {
		if got := content(t, v, seq); got != "A: b\r\n\r\nc\r\n" {
			t.Errorf("%d: got %q", seq, got)
		}
	}
	var all []int
	for seq := range v.Len() {
		all = append(all, seq+1)
	}
	changed, err := v.Store(all, Add, Flags{System: Flagged})
	if len(changed) == 0 {
		t.Errorf("got %v, %v, want flags on what has room", changed, err)
	}
	for _, name := range []string{"3.c.x:2,FRS", "4.d.x:2,FS,tail", "5.e.x:2,F", "6.f.x:2,FSX", "line\nend:2,", ":2,S"} {
		if _, err := os.Lstat(filepath.Join(path, "cur", name)); err != nil {
			t.Error(err)
		}
	}
}

func TestMissingParts(t *testing.T) {
	for _, sub := range []string{"tmp", "cur", "new"} {
		path := t.TempDir()
		b := openBox(t, newStore(t, Options{}), path)
		appendText(t, b, "INBOX", "a", Flags{System: Seen})
		b = openBox(t, newStore(t, Options{}), path)
		sel(t, b, "INBOX", false).Close() // the folder stays in memory for a while
		os.RemoveAll(filepath.Join(path, sub))
		sel(t, b, "INBOX", false).Close()
		appendText(t, b, "INBOX", "b", Flags{})
		if v := sel(t, b, "INBOX", false); v.Len() < 1 {
			t.Errorf("without %s: got %d messages", sub, v.Len())
		}
	}
}

// TestTwoFilesOfOneName: both messages stay.
func TestTwoFilesOfOneName(t *testing.T) {
	path := t.TempDir()
	putFile(t, path, "1.a.x:2,", text("one"))
	putFile(t, path, "1.a.x:2,S", text("two"))
	deliver(t, path, "1.a.x", "three")
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	syncView(t, v, true)
	syncView(t, v, true)
	var subjects []string
	for seq := 1; seq <= v.Len(); seq++ {
		subjects = append(subjects, subjectOf(content(t, v, seq)))
	}
	slices.Sort(subjects)
	if got := strings.Join(subjects, " "); got != "one three two" {
		t.Errorf("got %q, want all three messages", got)
	}
}

// TestUidlistDamage cuts and garbles the uidlist: UIDVALIDITY is kept while it
// can be read anywhere, whatever line is whole keeps its UID, and no UID is
// given to another message.
func TestUidlistDamage(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for i := range 5 {
		appendText(t, b, "INBOX", fmt.Sprint(i), Flags{})
	}
	v := sel(t, b, "INBOX", false)
	want, subjects := v.UIDValidity(), uidSubjects(t, v)
	if err := v.Remove([]uint32{2}); err != nil { // nor may another get its UID
		t.Fatal(err)
	}
	good, err := os.ReadFile(path + "/dovecot-uidlist")
	if err != nil {
		t.Fatal(err)
	}
	readable := strings.Index(string(good), " N") + 1 // up to here UIDVALIDITY stands
	for cut := 0; cut <= len(good); cut++ {
		harmed := [][]byte{good[:cut]}
		if cut%7 == 0 {
			harmed = append(harmed, append(append(slices.Clone(good[:cut]), "\x00\xff 7"...), good[min(cut+4, len(good)):]...))
		}
		for _, garbled := range harmed {
			if err := os.WriteFile(path+"/dovecot-uidlist", garbled, 0o600); err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprint("cut at ", cut), func(t *testing.T) {
				survives(t, path, subjects, cut >= readable, want)
			})
		}
	}
}

// survives opens a box with a harmed uidlist, files a message and takes it away
// again: no UID that was known means another message.
func survives(t *testing.T, path string, subjects map[uint32]string, readable bool, uidvalidity uint32) {
	t.Helper()
	b := openBox(t, newStore(t, Options{}), path)
	v := sel(t, b, "INBOX", false)
	if v.Len() != len(subjects)-1 {
		t.Errorf("got %d messages, want %d", v.Len(), len(subjects)-1)
	}
	if readable && v.UIDValidity() != uidvalidity {
		t.Errorf("got UIDVALIDITY %d, want %d", v.UIDValidity(), uidvalidity)
	}
	found := uidSubjects(t, v)
	uid := appendText(t, b, "INBOX", "new", Flags{System: Deleted})
	found[uid] = "new"
	for uid, subject := range found {
		if was, ok := subjects[uid]; ok && was != subject && v.UIDValidity() == uidvalidity {
			t.Errorf("UID %d was %q and is %q", uid, was, subject)
		}
	}
	syncView(t, v, true)
	if err := v.Remove([]uint32{uid}); err != nil {
		t.Error(err)
	}
}

func uidSubjects(t *testing.T, v *View) map[uint32]string {
	t.Helper()
	out := make(map[uint32]string)
	for seq := 1; seq <= v.Len(); seq++ {
		out[v.At(seq).UID] = subjectOf(content(t, v, seq))
	}
	return out
}

// TestUidlistLostWhileOpen: what is in memory is written again.
func TestUidlistLostWhileOpen(t *testing.T) {
	for _, replacement := range []string{"", "garbage\n"} {
		path := t.TempDir()
		b := openBox(t, newStore(t, Options{Shared: true}), path)
		for i := range 3 {
			appendText(t, b, "INBOX", fmt.Sprint(i), Flags{})
		}
		v := sel(t, b, "INBOX", false)
		before := list(v)
		os.Remove(path + "/dovecot-uidlist")
		if replacement != "" {
			os.WriteFile(path+"/dovecot-uidlist", []byte(replacement), 0o600)
		}
		if c := syncView(t, v, true); len(c.Expunged) > 0 {
			t.Errorf("got %+v, want nothing expunged", c)
		}
		uid := appendText(t, b, "INBOX", "new", Flags{})
		w := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
		if got := list(w); w.UIDValidity() != v.UIDValidity() || !strings.HasPrefix(got, strings.ReplaceAll(before, "+", "")) || uid != 4 {
			t.Errorf("got %q V %d, UID %d, want %q V %d, 4", got, w.UIDValidity(), uid, before, v.UIDValidity())
		}
	}
}

// TestUIDValidityChanged: a view whose UIDs mean nothing any more says so.
func TestUIDValidityChanged(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{Shared: true}), path)
	appendText(t, b, "INBOX", "a", Flags{})
	v := sel(t, b, "INBOX", false)
	if err := os.WriteFile(path+"/dovecot-uidlist", []byte("3 V7 N1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Sync(true); !errors.Is(err, ErrReset) {
		t.Errorf("got %v, want ErrReset", err)
	}
	if w := sel(t, b, "INBOX", true); w.UIDValidity() != 7 || list(w) != "1:" {
		t.Errorf("got V %d %q, want 7 and UID 1", w.UIDValidity(), list(w))
	}
}

// TestUIDValidityFromDovecotIndex: a lost uidlist keeps UIDVALIDITY when
// Dovecot's index still has it.
func TestUIDValidityFromDovecotIndex(t *testing.T) {
	path := t.TempDir()
	putFile(t, path, "1.a.x:2,", text("a"))
	index := make([]byte, 120)
	copy(index, []byte{7, 3, 0x78, 0, 0xe8, 1, 0, 0, 0x10, 0, 0, 0, 1})
	copy(index[24:], []byte{0x31, 0xee, 0x02, 0x6b, 5})
	if err := os.WriteFile(path+"/dovecot.index", index, 0o600); err != nil {
		t.Fatal(err)
	}
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
	if v.UIDValidity() != 0x6b02ee31 || v.At(1).UID != 5+indexGap {
		t.Errorf("got V %x UID %d, want 6b02ee31 and one far above 5", v.UIDValidity(), v.At(1).UID)
	}
}

// TestNoRoomForUIDs: what has a UID can be read when no new one can be given.
func TestNoRoomForUIDs(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "a", Flags{})
	full := &durable.Disk{Hook: func(op durable.Op) error { return unix.ENOSPC }}
	deliver(t, path, "1.a.x", "b")
	v := sel(t, openBox(t, newStore(t, Options{Disk: full}), path), "INBOX", false)
	if v.Len() != 1 || !strings.Contains(content(t, v, 1), "Text of a") {
		t.Errorf("got %d messages, want the one that has a UID", v.Len())
	}
	w := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if w.Len() != 2 {
		t.Errorf("got %d messages with room again, want 2", w.Len())
	}
}

func TestSelectUnwritable(t *testing.T) {
	if os.Getuid() == 0 {
		path := t.TempDir() // root may write everywhere: the hook stands for the mode
		b := openBox(t, newStore(t, Options{}), path)
		appendText(t, b, "INBOX", "a", Flags{})
		refuse := &durable.Disk{Hook: func(durable.Op) error { return unix.EROFS }}
		v := sel(t, openBox(t, newStore(t, Options{Disk: refuse}), path), "INBOX", false)
		if _, err := v.Store([]int{1}, Add, Flags{System: Seen}); !errors.Is(err, unix.EROFS) {
			t.Errorf("got %v, want EROFS", err)
		}
		return
	}
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "a", Flags{})
	for _, sub := range []string{"", "/cur", "/new"} {
		os.Chmod(path+sub, 0o500)
		defer os.Chmod(path+sub, 0o700)
	}
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if content(t, v, 1) != text("a") {
		t.Error("got another message")
	}
	if _, err := v.Store([]int{1}, Add, Flags{System: Seen}); err == nil {
		t.Error("got nil, want an error")
	}
}

// TestNothingByOldUID: once the UIDs of a view are those of other messages,
// nothing is read, changed or removed by them.
func TestNothingByOldUID(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "gone", Flags{})
	appendText(t, b, "INBOX", "kept", Flags{System: Deleted})
	v := sel(t, b, "INBOX", false)
	kept, _ := filepath.Glob(path + "/cur/*T")
	if err := os.WriteFile(path+"/dovecot-uidlist", []byte("3 V7 N1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Remove(path + "/cur/" + v.folder.File(v.folder.Find(1)))
	if body, err := v.Open(1); err == nil { // looks at the folder anew
		body.Close()
		t.Error("got another message under the UID of one that is gone")
	}
	if err := v.Remove([]uint32{1}); !errors.Is(err, ErrReset) {
		t.Errorf("expunge: got %v, want ErrReset", err)
	}
	if _, err := v.Store([]int{1}, Add, Flags{System: Seen}); !errors.Is(err, ErrReset) {
		t.Errorf("store: got %v, want ErrReset", err)
	}
	if m := v.At(1); !m.Gone {
		t.Errorf("got %+v, want it gone", m)
	}
	if _, err := os.Stat(kept[0]); err != nil {
		t.Errorf("the other message: %v", err)
	}
}

// TestFolderRemovedWhileOpen: its sessions learn that it is gone.
func TestFolderRemovedWhileOpen(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	b.Create("A")
	v := sel(t, b, "A", false)
	if err := os.RemoveAll(path + "/.A"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Sync(true); !errors.Is(err, ErrNoFolder) {
		t.Errorf("got %v, want ErrNoFolder", err)
	}
	b.Create("A")
	if w := sel(t, b, "A", false); w.Len() != 0 || w.UIDValidity() <= v.UIDValidity() {
		t.Errorf("got %d messages, UIDVALIDITY %d after %d", w.Len(), w.UIDValidity(), v.UIDValidity())
	}
}
