package main

import (
	"errors"

	"posthorn/imapd/internal/acl"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
)

// place is a mailbox that a command names, and what this user may do there.
type place struct {
	name    string // as he names it
	box     *mailbox.Box
	folder  string // its name in box
	private string // what stands in front of his private annotations
	rights  acl.Rights
}

// errNoRight is a command that the rights of the user do not allow.
var errNoRight = errors.New("no right to do that")

// locate finds out whose mailbox a name means.
func (s *Session) locate(name string) (place, error) {
	return place{name: name, box: s.box, folder: name}, nil
}

// find locates a mailbox that exists, where the user has all rights of need. One
// that he has no right to see does not exist for him (RFC 4314 section 6).
func (s *Session) find(name string, need acl.Rights) (place, error) {
	p, err := s.locate(name)
	if err == nil {
		err = s.judge(&p)
	}
	switch {
	case err != nil:
		return p, err
	case !p.rights.Any(acl.All &^ acl.Post):
		return p, mailbox.ErrNoFolder
	case !p.rights.Has(need) && !p.rights.Has(acl.Lookup):
		return p, mailbox.ErrNoFolder
	case !p.rights.Has(need):
		return p, errNoRight
	}
	return p, nil
}

// judge looks up the rights at a place.
func (s *Session) judge(p *place) error {
	state, err := p.box.State(p.folder)
	if err != nil {
		return err
	}
	defer state.Close()
	p.rights = s.who(p).Of(state.All(statefile.Rights))
	return nil
}

// who is this user at a place.
func (s *Session) who(p *place) acl.Who {
	return acl.Who{User: s.conn.User, Owner: p.box == s.box}
}
