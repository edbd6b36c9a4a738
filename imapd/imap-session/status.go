package main

import (
	"slices"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// status answers STATUS (RFC 3501 section 6.3.10).
func (s *Session) status(c *wire.Command) (string, error) {
	name, err := folderArg(c)
	if err != nil {
		return "", err
	}
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	items, err := query.ParseStatus(c.Args)
	if err != nil {
		return "", err
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	status, err := s.count(name, items)
	if err != nil {
		return "", err
	}
	s.writeStatus(name, items, status)
	return "STATUS completed", nil
}

// counts are what STATUS answers.
type counts struct {
	mailbox.Status
	freed int64 // by removing what is \Deleted; known if it was asked for
}

// count looks at a folder for items of STATUS. The sizes of messages are looked
// up only where they are asked for and not all known.
func (s *Session) count(name string, items []string) (counts, error) {
	p, err := s.realm.Find(name, acl.Read)
	if err != nil {
		return counts{}, err
	}
	status, err := p.Box.Status(p.Folder)
	of := counts{Status: status}
	if err == nil && of.Deleted > 0 && slices.Contains(items, "DELETED-STORAGE") {
		of.freed, err = p.Box.Deleted(p.Folder)
	}
	if err == nil && of.Size < 0 && slices.Contains(items, "SIZE") {
		of.Size, err = p.Box.Size(p.Folder)
	}
	if slices.Contains(items, "HIGHESTMODSEQ") {
		s.wantModSeqs() // RFC 7162 section 3.1
	}
	return of, err
}

func (s *Session) writeStatus(name string, items []string, of counts) {
	s.w.Raw("* STATUS ")
	s.w.AString(s.encode(name))
	sep := " ("
	for _, item := range items {
		s.w.Raw(sep, item, " ")
		sep = " "
		if item == "MAILBOXID" { // RFC 8474 section 4.3
			s.w.Raw("(", of.ID, ")")
			continue
		}
		s.w.Num(s.statusValue(item, of))
	}
	s.w.Raw(")\r\n")
}

func (s *Session) statusValue(item string, of counts) uint64 {
	switch item {
	case "MESSAGES":
		return uint64(of.Messages)
	case "RECENT":
		return uint64(of.Recent)
	case "UIDNEXT":
		return uint64(of.UIDNext)
	case "UIDVALIDITY":
		return uint64(of.UIDValidity)
	case "SIZE":
		return uint64(of.Size) // RFC 8438 section 3
	case "DELETED":
		return uint64(of.Deleted) // RFC 9051 section 6.3.11
	case "DELETED-STORAGE":
		return uint64(of.freed) // RFC 9208 section 4.1.4
	case "HIGHESTMODSEQ":
		return of.HighestModSeq // RFC 7162 section 3.1.7
	case "APPENDLIMIT":
		return uint64(s.limits.maxSize) // RFC 7889 section 3.1
	}
	return uint64(of.Unseen)
}
