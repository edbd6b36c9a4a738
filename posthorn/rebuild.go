package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"posthorn/internal/mailbox"
	"posthorn/internal/screen"
)

// rebuildMailbox makes the index of each folder anew and mends what can be.
func rebuildMailbox(e *env, path string) error { return withBox(e, path, e.rebuild) }

func (e *env) rebuild(box *mailbox.Box) error {
	folders, err := box.Folders()
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range folders {
		r, err := box.Rebuild(name)
		if err != nil {
			failed = append(failed, errors.New(screen.Line(err.Error())))
			continue
		}
		fmt.Fprintf(e.stdout, "%s: messages=%d uidvalidity=%d uidnext=%d%s\n", screen.Line(name), r.Messages, r.UIDValidity, r.UIDNext, mended(r))
	}
	return errors.Join(append(failed, box.Recount())...)
}

// mended says what was.
func mended(r mailbox.Rebuilt) (s string) {
	if r.Lines > 0 {
		s += fmt.Sprintf(", left out %d lines of the uidlist that cannot be read", r.Lines)
	}
	if r.Reset {
		s += ", no uidlist could be read: all UIDs are new"
	}
	if r.State {
		s += ", took away a last line of posthorn-state that was cut off"
	}
	return s
}

// withBox has do work on the mail of the Maildir path.
func withBox(e *env, path string, do func(*mailbox.Box) error) error {
	if !isMaildir(path) { // the store would make it
		return fmt.Errorf("found no cur/ in %s, expected a Maildir", path)
	}
	store := mailbox.New(mailbox.Options{Node: e.conf.Node, Shared: e.conf.MailShared, Index: e.conf.IndexOf})
	defer store.Close()
	box, err := store.Open(path)
	if err != nil {
		return err
	}
	defer box.Close()
	return do(box)
}

// isMaildir reports whether path has the folder that every Maildir has.
func isMaildir(path string) bool { return isDir(filepath.Join(path, "cur")) }

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}
