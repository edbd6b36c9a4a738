package main

import (
	"fmt"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// copy copies messages to another folder, all or none (RFC 3501 section 6.4.7).
func (s *Session) copy(c *wire.Command) (string, error) {
	seqs, name, err := s.copyArgs(c)
	if err != nil {
		return "", err
	}
	if len(seqs) == 0 {
		return c.Name + " completed, no messages", nil
	}
	if err := s.copyable(seqs); err != nil {
		return "", err
	}
	code, _, err := s.copyTo(seqs, name, s.view.CopyTo)
	return code + " " + c.Name + " completed", err
}

// move copies messages and removes them here (RFC 6851). A failure between the
// two leaves them in both folders.
func (s *Session) move(c *wire.Command) (string, error) {
	seqs, name, err := s.copyArgs(c)
	switch {
	case err != nil:
		return "", err
	case s.view.ReadOnly():
		return "", mailbox.ErrReadOnly
	case len(seqs) == 0:
		return c.Name + " completed, no messages", nil
	}
	seqs, over := s.within(seqs)
	var to *mailbox.Box
	code, moved, err := s.copyTo(seqs, name, func(b *mailbox.Box, dest string, may mailbox.Settable, seqs []int) (uint32, []uint32, []uint32, error) {
		to = b
		return s.view.CopyToMove(b, dest, may, seqs)
	})
	if err != nil {
		return "", err
	}
	s.w.Raw("* OK ", code, " copied\r\n") // before the removals (RFC 6851 section 4.3)
	done, err := s.removed(c.Name, s.view.RemoveMoved(moved, to))
	return s.partly(done, over), err
}

func (s *Session) copyArgs(c *wire.Command) (sequence, string, error) {
	if err := c.Args.Space(); err != nil {
		return nil, "", err
	}
	seqs, err := s.messages(c)
	if err != nil {
		return nil, "", err
	}
	name, err := folderOnly(c)
	return seqs, name, err
}

// copier is View.CopyTo or View.CopyToMove.
type copier func(b *mailbox.Box, dest string, may mailbox.Settable, seqs []int) (uidvalidity uint32, src, dst []uint32, err error)

// copyTo copies and returns the response code of RFC 4315 section 3, and the
// UIDs that were copied.
func (s *Session) copyTo(seqs sequence, name string, run copier) (code string, src []uint32, err error) {
	p, err := s.realm.Find(name, acl.Insert)
	if err != nil {
		return "", nil, tryCreate(err)
	}
	validity, src, dst, err := run(p.Box, p.Folder, p.Settable(), seqs.slice())
	if err != nil {
		return "", nil, tryCreate(err)
	}
	return fmt.Sprintf("[COPYUID %d %s %s]", validity, wire.AppendSet(nil, src), wire.AppendSet(nil, dst)), src, nil
}
