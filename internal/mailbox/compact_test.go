package mailbox

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// TestCompact: lines of messages that are gone leave the uidlist when they are
// many; a full disk keeps them, and is no failure of the EXPUNGE.
func TestCompact(t *testing.T) {
	path := t.TempDir()
	var full atomic.Bool
	disk := &durable.Disk{Hook: func(op durable.Op) error {
		if full.Load() && op.Name == "create" && strings.HasSuffix(op.Path, ".tmp") {
			return unix.ENOSPC
		}
		return nil
	}}
	b := openBox(t, newStore(t, Options{Disk: disk}), path)
	list := "3 V9 N5000 G" + strings.Repeat("a", 32) + "\n"
	for uid := range uint32(2000) {
		list += fmt.Sprintf("%d :%d.gone\n", uid+1, uid+1)
	}
	for uid := range 3 {
		putFile(t, path, fmt.Sprintf("%d.kept:2,T", uid), text("a"))
		list += fmt.Sprintf("%d Pold%d :%d.kept\n", 3000+uid, uid, uid)
	}
	if err := os.WriteFile(path+"/dovecot-uidlist", []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	v := sel(t, b, "INBOX", false)
	lines := func() int {
		content, _ := os.ReadFile(path + "/dovecot-uidlist")
		return strings.Count(string(content), "\n") - 1
	}
	full.Store(true)
	if err := v.Remove([]uint32{3000}); err != nil || lines() != 2003 {
		t.Errorf("full disk: got %v and %d lines, want none lost and no error", err, lines())
	}
	full.Store(false)
	if uid := appendText(t, b, "INBOX", "new", Flags{}); uid < 5000 {
		t.Errorf("got UID %d, want one from N on", uid)
	}
	if _, err := v.Sync(true); err != nil { // which reads the list that was written
		t.Fatal(err)
	}
	if err := v.Remove([]uint32{3001}); err != nil || lines() != 2 {
		t.Errorf("got %v and %d lines, want 2", err, lines())
	}
	w := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
	uidls, err := w.POP3IDs(false)
	if err != nil || w.Len() != 2 || w.At(1).UID != 3002 || uidls[3002].UIDL != "old2" || w.UIDValidity() != 9 {
		t.Errorf("got %d messages, UID %d, UIDLs %v, %v", w.Len(), w.At(1).UID, uidls, err)
	}
}

// TestUIDsAreNotWasted: a folder that was closed and is opened again goes on
// with its UIDs, and begins at N where it cannot know what others gave.
func TestUIDsAreNotWasted(t *testing.T) {
	path := t.TempDir()
	s := newStore(t, Options{})
	b := openBox(t, s, path)
	for want := range uint32(3) {
		if uid := appendText(t, b, "INBOX", "a", Flags{}); uid != want+1 {
			t.Errorf("got UID %d, want %d", uid, want+1)
		}
		closeIdle(s)
	}
	// Another process, which has to take N as given.
	if uid := appendText(t, openBox(t, newStore(t, Options{}), path), "INBOX", "b", Flags{}); uid != 1001 {
		t.Errorf("another process: got UID %d, want 1001", uid)
	}
	if uid := appendText(t, b, "INBOX", "c", Flags{}); uid != 2001 {
		t.Errorf("after it: got UID %d, want 2001", uid)
	}
	closeIdle(s)
	list, err := os.ReadFile(path + "/dovecot-uidlist")
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path+"/dovecot-uidlist", append(list, "2500 :1.foreign\n"...), 0o600)
	if uid := appendText(t, b, "INBOX", "d", Flags{}); uid != 3001 {
		t.Errorf("after a line above ours: got UID %d, want 3001", uid)
	}
}

// closeIdle closes the folders that nobody uses, as time would.
func closeIdle(s *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.folders {
		if f.users == 0 {
			s.drop(f)
		}
	}
}
