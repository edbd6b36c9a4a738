package main

import (
	"path/filepath"
	"testing"
	"time"

	"posthorn/internal/mailbox"
)

// TestOthersRemoveToTheOwners: what somebody removes from a mailbox that is shared
// with him is kept where its owner has it, and so is what he moves to his own.
func TestOthersRemoveToTheOwners(t *testing.T) {
	v := newTown(t)
	v.host.store.KeepRemoved(time.Hour)
	ann := v.as("ann")
	ann.needs("CREATE Box", "SETACL Box bob lrswite")
	for range 3 {
		ann.file("Box", `()`, simple)
	}
	bob := v.as("bob")
	bob.needs("SELECT "+theirs, `STORE 1 +FLAGS (\Deleted)`, "EXPUNGE", "MOVE 1 INBOX")
	ann.needs("SELECT Box", `MOVE 1 INBOX`)
	for user, want := range map[string]int{"ann": 2, "bob": 0} {
		path := filepath.Join(v.root, user+"@x.example", "Maildir", mailbox.Attic, "*", ".Box/cur/*")
		if files, err := filepath.Glob(path); err != nil || len(files) != want {
			t.Errorf("%s: got %q, %v, want %d", user, files, err, want)
		}
	}
	if files, err := filepath.Glob(filepath.Join(v.root, "*", "Maildir", mailbox.Attic, "*", "cur/*")); err != nil || len(files) != 0 {
		t.Errorf("got %q, %v, want nothing of an INBOX", files, err)
	}
}
