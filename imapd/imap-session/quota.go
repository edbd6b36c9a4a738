package main

import (
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// getQuota answers GETQUOTA (RFC 9208 section 4.1.1). There is one quota root, "",
// for all mailboxes of a user.
func (s *Session) getQuota(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	root, err := c.Args.AString()
	if err != nil {
		return "", err
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	if root != "" {
		return "", no("[NONEXISTENT] no such quota root")
	}
	return "GETQUOTA completed", s.writeQuota()
}

// getQuotaRoot answers GETQUOTAROOT (RFC 9208 section 4.1.2); the mailbox need not
// exist.
func (s *Session) getQuotaRoot(c *wire.Command) (string, error) {
	name, err := folderOnly(c)
	if err != nil {
		return "", err
	}
	p, err := s.realm.Locate(name)
	if err != nil {
		return "", err
	}
	s.w.Raw("* QUOTAROOT ")
	s.w.AString(s.encode(name))
	if !p.Own { // what others have is theirs to know
		s.w.Raw("\r\n")
		return "GETQUOTAROOT completed", nil
	}
	s.w.Raw(" \"\"\r\n")
	return "GETQUOTAROOT completed", s.writeQuota()
}

// kilobyte is the unit of STORAGE (RFC 9208 section 5.1).
const kilobyte = 1024

// writeQuota writes what has a limit (RFC 9208 section 4.2.1).
func (s *Session) writeQuota() error {
	u, err := s.realm.Box.Usage()
	if err != nil {
		return err
	}
	s.w.Raw("* QUOTA \"\" (")
	sep := ""
	for _, r := range resources(u) {
		if r.limit == 0 {
			continue
		}
		s.w.Raw(sep, r.name, " ")
		s.w.Num(uint64(r.usage))
		s.w.Raw(" ")
		s.w.Num(uint64(r.limit))
		sep = " "
	}
	s.w.Raw(")\r\n")
	return nil
}

// resource is one line of a quota.
type resource struct {
	name         string
	usage, limit int64
}

// resources are those of RFC 9208 section 5 that can have a limit here.
func resources(u mailbox.Usage) []resource {
	return []resource{
		{"STORAGE", (u.Bytes + kilobyte - 1) / kilobyte, (u.Limit.Storage + kilobyte - 1) / kilobyte},
		{"MESSAGE", u.Messages, u.Limit.Messages},
		{"MAILBOX", int64(u.Mailboxes), u.Limit.Mailboxes},
	}
}
