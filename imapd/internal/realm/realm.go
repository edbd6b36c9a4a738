// Package realm knows the mailboxes that one user can reach, and what he may do there:
// his own, those that others show him (RFC 4314) and the public ones.
package realm

import (
	"errors"
	"strings"

	"posthorn/imapd/internal/acl"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
)

// Realm is all mailboxes of one user. What is not exported is the boxes of others that
// it has open; Close closes them. It is not safe for concurrent use.
type Realm struct {
	User   string
	Groups []string // that he is in
	Box    *mailbox.Box
	Shares *Shares // nil: users do not show each other mailboxes
	Public string  // the user whose mailboxes are everybody's, or ""

	foreign map[string]*mailbox.Box // by owner
}

// ErrNoRight is a command that the rights of the user do not allow.
var ErrNoRight = errors.New("no right to do that")

// Find locates a mailbox where the user has all rights of need. One that he has no
// right to see does not exist for him (RFC 4314 section 6). Of his own it is not
// looked up whether it exists.
func (r *Realm) Find(name string, need acl.Rights) (Place, error) {
	p, err := r.Locate(name)
	if err == nil {
		p.Rights, err = r.RightsAt(p)
	}
	if err != nil {
		return p, err
	}
	return p, p.Allow(need)
}

// RightsAt looks up the user's rights.
func (r *Realm) RightsAt(p Place) (acl.Rights, error) {
	if p.Own {
		if has, err := p.Box.HasState(p.Folder); err != nil || !has {
			return acl.All, err
		}
	}
	state, err := p.Box.State(p.Folder)
	if err != nil {
		return 0, err
	}
	defer state.Close()
	who := r.who()
	who.Owner = p.Own
	return who.Of(state.All(statefile.Rights)), nil
}

// who is the user at no certain place.
func (r *Realm) who() acl.Who { return acl.Who{User: r.User, Groups: r.Groups} }

// Above finds the nearest mailbox above p that exists, where the user must be
// allowed to make others (RFC 4314 section 4). At the top he may in his own box
// only.
func (r *Realm) Above(p Place) (parent Place, err error) {
	name := p.Name
	for {
		i := strings.LastIndex(name, Levels(p.Name))
		if i < 0 {
			break
		}
		name = name[:i]
		parent, err = r.Find(name, 0)
		if err == nil && parent.Box != p.Box {
			break // what others' names begin with can be a mailbox of his own
		}
		if err == nil {
			var exists bool
			if exists, err = parent.Box.Exists(parent.Folder); exists {
				return parent, parent.Allow(acl.Create)
			}
		}
		if err != nil && !errors.Is(err, mailbox.ErrNoFolder) && !errors.Is(err, mailbox.ErrBadName) {
			return Place{}, err
		}
	}
	if !p.Own {
		return Place{}, ErrNoRight
	}
	return Place{}, nil
}
