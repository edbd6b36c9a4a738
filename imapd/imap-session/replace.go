package main

import (
	"fmt"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// replace files a message and removes another here (RFC 8508). A failure between
// the two leaves both.
func (s *Session) replace(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	seq, uid, err := s.replaced(c)
	if err != nil {
		return "", err
	}
	name, err := folderArg(c)
	if err != nil {
		return "", err
	}
	if s.view.ReadOnly() {
		return "", mailbox.ErrReadOnly
	}
	validity, uids, err := s.file(name, c, 1, seq)
	if err != nil {
		return "", err
	}
	if err := s.view.Remove([]uint32{uid}); err != nil {
		return "", err
	}
	s.w.Raw(fmt.Sprintf("* OK [APPENDUID %d %d] replacement is filed\r\n", validity, uids[0])) // before the removal (RFC 8508 section 4.3)
	return s.removed(c.Name, nil)
}

// replaced takes the number of one message.
func (s *Session) replaced(c *wire.Command) (seq int, uid uint32, err error) {
	set, err := c.Args.Set()
	if err != nil {
		return 0, 0, err
	}
	if len(set) != 1 || set[0].Lo != set[0].Hi {
		return 0, 0, &wire.SyntaxError{Text: "one message is replaced at a time"}
	}
	var seqs sequence
	if isUID(c) {
		seqs = s.byUID(set)
	} else if seqs, err = s.bySeq(set); err != nil {
		return 0, 0, err
	}
	if len(seqs) == 0 {
		return 0, 0, no("[NONEXISTENT] no such message")
	}
	seq = int(seqs[0].Lo)
	m := s.view.At(seq)
	if m.Gone {
		return 0, 0, mailbox.ErrExpunged
	}
	return seq, m.UID, nil
}
