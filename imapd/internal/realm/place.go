package realm

import (
	"slices"
	"strings"

	"posthorn/imapd/internal/acl"
	"posthorn/internal/mailbox"
)

// Place is a mailbox that a command names, and what this user may do there.
type Place struct {
	Name    string // as he names it
	Box     *mailbox.Box
	Folder  string // its name in box
	Owner   string // whose box that is
	Private string // what stands in front of his private annotations
	Own     bool   // the box is his own
	Rights  acl.Rights
}

// Allow reports which right of need is missing.
func (p Place) Allow(need acl.Rights) error {
	switch {
	case p.Rights.Has(need):
		return nil
	case p.Rights.Has(acl.Lookup):
		return ErrNoRight
	}
	return mailbox.ErrNoFolder
}

// Settable are the flags that the user may set at a place.
func (p Place) Settable() (may mailbox.Settable) {
	if p.Rights.Has(acl.Seen) {
		may.System |= mailbox.Seen
	}
	if p.Rights.Has(acl.DeleteFlag) {
		may.System |= mailbox.Deleted
	}
	if p.Rights.Has(acl.Write) {
		may.System |= mailbox.Answered | mailbox.Flagged | mailbox.Draft
		may.Keywords = true
		if !p.Rights.Has(acl.DeleteFlag | acl.Expunge) {
			may.Except = mailbox.FetchedKeyword // it removes messages as well
		}
	}
	return may
}

// Filter takes away the flags that cannot be set at a place.
func (p Place) Filter(flags mailbox.Flags) mailbox.Flags {
	may := p.Settable()
	flags.System &= may.System
	flags.Keywords = may.Without(slices.Clone(flags.Keywords))
	return flags
}

// Levels is what stands between the levels of a name.
func Levels(name string) string {
	if strings.Contains(name, "/") {
		return "/"
	}
	return "."
}
