package main

import (
	"errors"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// selectFolder opens a folder. The one that was open is closed first, whatever
// becomes of the new one (RFC 3501 section 6.3.1).
func (s *Session) selectFolder(c *wire.Command, readOnly bool) (string, error) {
	asked := *c.Args
	name, err := folderArg(c)
	var sync resync
	if err == nil {
		sync, err = s.selectParams(c.Args)
	}
	var syntax *wire.SyntaxError
	if errors.As(err, &syntax) {
		return "", err
	}
	s.leave()
	if err != nil {
		return "", err
	}
	p, err := s.realm.Find(name, acl.Read)
	if err != nil {
		return "", err
	}
	view, err := p.Box.Select(p.Folder, readOnly || !p.Rights.Any(writable))
	if err != nil {
		return "", err
	}
	s.view, s.folder, s.at = view, p.Name, p
	s.attend()
	s.conn.SetFolder(p.Name)
	if sync.modSeqs {
		s.modSeqs = true
	}
	s.describe()
	if err := s.resynchronize(sync); err != nil {
		return "", err
	}
	if s.rev2 {
		if err := s.writeSelected(asked); err != nil {
			return "", err
		}
	}
	if view.ReadOnly() {
		return "[READ-ONLY] " + c.Name + " completed", nil
	}
	return "[READ-WRITE] " + c.Name + " completed", nil
}

// describe writes what a client must know of a folder it opened.
func (s *Session) describe() {
	s.writeFlagsResponse()
	s.numbered(s.view.Len(), "EXISTS")
	if !s.rev2 { // RFC 9051 appendix E, 11 and 12
		s.numbered(s.view.Recent(), "RECENT")
		s.describeUnseen()
	}
	s.code("UIDVALIDITY", uint64(s.view.UIDValidity()), "UIDs are valid")
	s.code("UIDNEXT", uint64(s.view.UIDNext()), "next UID")
	s.writeHighest()
	s.w.Raw("* OK [MAILBOXID (", s.view.ID(), ")] mailbox is known by this\r\n") // RFC 8474 section 4.2
}

// describeUnseen names the first message that is not \Seen, by its number.
func (s *Session) describeUnseen() {
	if s.uidOnly { // RFC 9586
		return
	}
	if seq := s.view.FirstUnseen(); seq > 0 {
		s.code("UNSEEN", uint64(seq), "first unseen message")
	}
}

// code writes an untagged OK with a number in its response code.
func (s *Session) code(name string, n uint64, text string) {
	s.w.Raw("* OK [", name, " ")
	s.w.Num(n)
	s.w.Raw("] ", text, "\r\n")
}

// closeFolder removes what is \Deleted, announces nothing, and leaves the
// folder (RFC 3501 section 6.4.2).
func (s *Session) closeFolder(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	if !s.view.ReadOnly() && s.at.Rights.Has(acl.Expunge) { // RFC 4314 section 4
		if err := s.view.Expunge(nil); err != nil {
			return "", err
		}
	}
	s.unselect()
	return "CLOSE completed", nil
}

// unselectFolder leaves the folder as it is (RFC 3691).
func (s *Session) unselectFolder(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.unselect()
	return "UNSELECT completed", nil
}

func (s *Session) expunge(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	return s.removed("EXPUNGE", s.view.Expunge(nil))
}

// uidExpunge removes those of a set that are \Deleted (RFC 4315 section 2.1).
func (s *Session) uidExpunge(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	seqs, err := s.messages(c)
	if err != nil {
		return "", err
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	uids, over := s.withinUIDs(s.deletedOf(seqs))
	done, err := s.removed("UID EXPUNGE", s.view.Expunge(uids))
	return s.partly(done, over), err
}

// deletedOf returns the UIDs of the messages that are \Deleted.
func (s *Session) deletedOf(seqs sequence) []uint32 {
	uids := []uint32{}
	for seq := range seqs.all() {
		if m := s.view.At(seq); m.Flags.System&mailbox.Deleted != 0 {
			uids = append(uids, m.UID)
		}
	}
	return uids
}
