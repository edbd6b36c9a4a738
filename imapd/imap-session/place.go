package main

import (
	"errors"
	"slices"
	"strings"

	"posthorn/imapd/internal/acl"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
)

// place is a mailbox that a command names, and what this user may do there.
type place struct {
	name    string // as he names it
	box     *mailbox.Box
	folder  string // its name in box
	owner   string // whose box that is
	private string // what stands in front of his private annotations
	rights  acl.Rights
}

// errNoRight is a command that the rights of the user do not allow.
var errNoRight = errors.New("no right to do that")

// find locates a mailbox where the user has all rights of need. One that he has no
// right to see does not exist for him (RFC 4314 section 6). Of his own it is not
// looked up whether it exists.
func (s *Session) find(name string, need acl.Rights) (place, error) {
	p, err := s.locate(name)
	if err == nil {
		p.rights, err = s.rightsAt(p)
	}
	if err != nil {
		return p, err
	}
	return p, p.allow(need)
}

// allow reports which right of need is missing.
func (p place) allow(need acl.Rights) error {
	switch {
	case p.rights.Has(need):
		return nil
	case p.rights.Has(acl.Lookup):
		return errNoRight
	}
	return mailbox.ErrNoFolder
}

// rightsAt looks up the user's rights.
func (s *Session) rightsAt(p place) (acl.Rights, error) {
	if p.box == s.box {
		if has, err := p.box.HasState(p.folder); err != nil || !has {
			return acl.All, err
		}
	}
	state, err := p.box.State(p.folder)
	if err != nil {
		return 0, err
	}
	defer state.Close()
	return s.who(p).Of(state.All(statefile.Rights)), nil
}

// who is this user at a place.
func (s *Session) who(p place) acl.Who {
	return acl.Who{User: s.conn.User, Owner: p.box == s.box, Groups: s.groups}
}

// levels is what stands between the levels of a name.
func levels(name string) string {
	if strings.Contains(name, "/") {
		return "/"
	}
	return "."
}

// above finds the nearest mailbox above p that exists, where the user must be
// allowed to make others (RFC 4314 section 4). At the top he may in his own box
// only.
func (s *Session) above(p place) (parent place, err error) {
	name := p.name
	for {
		i := strings.LastIndex(name, levels(p.name))
		if i < 0 {
			break
		}
		name = name[:i]
		parent, err = s.find(name, 0)
		if err == nil && parent.box != p.box {
			break // what others' names begin with can be a mailbox of his own
		}
		if err == nil {
			var exists bool
			if exists, err = parent.box.Exists(parent.folder); exists {
				return parent, parent.allow(acl.Create)
			}
		}
		if err != nil && !errors.Is(err, mailbox.ErrNoFolder) && !errors.Is(err, mailbox.ErrBadName) {
			return place{}, err
		}
	}
	if p.box != s.box {
		return place{}, errNoRight
	}
	return place{}, nil
}

// settable are the flags that the user may set at a place.
func (p place) settable() (may mailbox.Settable) {
	if p.rights.Has(acl.Seen) {
		may.System |= mailbox.Seen
	}
	if p.rights.Has(acl.DeleteFlag) {
		may.System |= mailbox.Deleted
	}
	if p.rights.Has(acl.Write) {
		may.System |= mailbox.Answered | mailbox.Flagged | mailbox.Draft
		may.Keywords = true
		if !p.rights.Has(acl.DeleteFlag | acl.Expunge) {
			may.Except = mailbox.FetchedKeyword // it removes messages as well
		}
	}
	return may
}

// filter takes away the flags that cannot be set at a place.
func (p place) filter(flags mailbox.Flags) mailbox.Flags {
	may := p.settable()
	flags.System &= may.System
	flags.Keywords = may.Without(slices.Clone(flags.Keywords))
	return flags
}

// writable are the rights of which a session that changes a mailbox has one (RFC
// 4314 section 5.2).
const writable = acl.Insert | acl.Expunge | acl.Seen | acl.Write | acl.DeleteFlag

// stands looks whether the rights in the mailbox of another are what they were
// when it was selected. Who cannot read it any more has seen the last of it.
func (s *Session) stands() error {
	if s.at.box == s.box {
		return nil
	}
	rights, err := s.rightsAt(s.at)
	switch {
	case err != nil:
		return err
	case !rights.Has(acl.Read):
		return errRevoked
	case rights != s.at.rights:
		s.at.rights = rights
		s.writeFlagsResponse() // RFC 4314 section 5.1.1
	}
	return nil
}

// permit looks whether a command of the selected state is allowed.
func (s *Session) permit(command string) error {
	if err := s.stands(); err != nil {
		return broken{err}
	}
	switch strings.TrimPrefix(command, "UID ") {
	case "EXPUNGE":
		return s.at.allow(acl.Expunge)
	case "MOVE", "REPLACE": // RFC 6851 section 3.3 for the message that goes
		return s.at.allow(acl.DeleteFlag | acl.Expunge)
	}
	return nil
}

// errRevoked ends a session whose user may not read the mailbox any more.
var errRevoked = errors.New("no right to read the selected mailbox any more")
