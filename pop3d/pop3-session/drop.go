package main

import (
	"fmt"
	"io"

	"posthorn/internal/mailbox"
)

// maildrop is what a session sees: the messages that were there when it began,
// numbered from 1 (RFC 1939 4).
type maildrop interface {
	// Len returns the number of messages, which does not change.
	Len() int
	// Size returns message n's size in octets with CRLF line ends.
	Size(n int) (int64, error)
	// UIDL returns message n's unique-id.
	UIDL(n int) string
	// Open opens message n for reading. The caller closes it.
	Open(n int) (body, error)
	// Commit marks the messages seen as read and removes those of deleted. An
	// error means that some may still be there.
	Commit(deleted, seen []int) error
	// Close ends the exclusive use. It may be called again.
	Close() error
}

// body is an open message with CRLF line ends.
type body interface {
	io.ReaderAt
	Size() int64
	HeaderSize() (int64, error)
	Close() error
}

// inbox is a maildrop over a mailbox's INBOX. Its view is never synced, so
// numbers stand; what is gone meanwhile fails one by one.
type inbox struct {
	box    *mailbox.Box
	view   *mailbox.View
	saved  map[uint32]string // UIDLs of before a migration, by UID
	unlock func()
}

// openDrop opens the INBOX of the mailbox at path for one POP3 session.
// Errors: mailbox.ErrLocked.
func openDrop(store *mailbox.Store, path string) (*inbox, error) {
	box, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	d := &inbox{box: box}
	if d.unlock, err = box.LockPOP3(); err != nil {
		d.Close()
		return nil, err
	}
	if d.view, err = box.Select("INBOX", false); err != nil {
		d.Close()
		return nil, err
	}
	if d.saved, err = d.view.POP3UIDLs(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *inbox) Len() int { return d.view.Len() }

func (d *inbox) Size(n int) (int64, error) {
	m, err := d.view.Measure(n)
	return m.Size, err
}

// UIDL is the unique-id that came with a migrated message, else Dovecot's
// default, pop3_uidl_format = %08Xu%08Xv, in its lower-case digits: clients of a
// server that changes hands download nothing again.
func (d *inbox) UIDL(n int) string {
	uid := d.view.At(n).UID
	if saved, ok := d.saved[uid]; ok {
		return saved
	}
	return fmt.Sprintf("%08x%08x", uid, d.view.UIDValidity())
}

func (d *inbox) Open(n int) (body, error) {
	b, err := d.view.Open(n)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (d *inbox) Commit(deleted, seen []int) error {
	if len(seen) > 0 {
		// A mark that fails is no loss, and no reason to keep what was deleted.
		d.view.Store(seen, mailbox.Add, mailbox.Flags{System: mailbox.Seen})
	}
	if len(deleted) == 0 {
		return nil
	}
	uids := make([]uint32, len(deleted))
	for i, n := range deleted {
		uids[i] = d.view.At(n).UID
	}
	return d.view.Expunge(uids)
}

func (d *inbox) Close() error {
	if d.box == nil {
		return nil
	}
	if d.view != nil {
		d.view.Close()
	}
	if d.unlock != nil {
		d.unlock()
	}
	box := d.box
	d.box = nil
	return box.Close()
}
