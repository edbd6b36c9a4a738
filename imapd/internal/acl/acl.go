// Package acl knows the rights of RFC 4314: which letters there are, and what a
// list of identifiers gives a user.
package acl

import (
	"fmt"
	"slices"
	"strings"
)

// Rights is a set of rights.
type Rights uint16

// The rights of RFC 4314 section 2.1.
const (
	Lookup     Rights = 1 << iota // l: LIST shows the mailbox
	Read                          // r: it can be selected
	Seen                          // s: \Seen can be set
	Write                         // w: other flags but \Deleted can be set
	Insert                        // i: messages can be filed
	Post                          // p: kept, and of no effect here
	Create                        // k: mailboxes can be made below it
	Delete                        // x: it can be deleted and renamed
	DeleteFlag                    // t: \Deleted can be set
	Expunge                       // e: messages can be removed
	Admin                         // a: rights can be given

	All Rights = 1<<iota - 1
	// Kept are what an owner cannot lose, so that he can always mend a list.
	Kept = Lookup | Admin
)

// letters stand in the order of the constants.
const letters = "lrswipkxtea"

// The virtual rights of RFC 2086 (RFC 4314 section 2.1.1).
const (
	oldCreate = Create | Delete      // c
	oldDelete = DeleteFlag | Expunge // d
)

// Extra are the rights that RFC 2086 did not have, for the capability RIGHTS=.
const Extra = "kxte"

// Parse reads rights as clients write them. Its error is for the client.
func Parse(s string) (r Rights, err error) {
	for _, c := range s {
		switch i := strings.IndexRune(letters, c); {
		case i >= 0:
			r |= 1 << i
		case c == 'c':
			r |= oldCreate
		case c == 'd':
			r |= oldDelete
		default:
			return 0, fmt.Errorf("the right %q is not supported", c)
		}
	}
	return r, nil
}

// String writes rights for clients, the virtual ones included.
func (r Rights) String() string { return r.with("cd") }

// with writes rights and those virtual ones that are asked for.
func (r Rights) with(virtual string) string {
	var b strings.Builder
	for i := range letters {
		if r&(1<<i) == 0 {
			continue
		}
		b.WriteByte(letters[i])
	}
	if strings.Contains(virtual, "c") && r.Any(oldCreate) {
		b.WriteByte('c')
	}
	if strings.Contains(virtual, "d") && r.Any(oldDelete) {
		b.WriteByte('d')
	}
	return b.String()
}

// Letters writes rights as they are kept, without virtual ones.
func (r Rights) Letters() string { return r.with("") }

// Has reports whether all rights of need are there.
func (r Rights) Has(need Rights) bool { return r&need == need }

// Any reports whether some of the rights are there.
func (r Rights) Any(of Rights) bool { return r&of != 0 }

// Grantable returns the answer to LISTRIGHTS for an identifier (RFC 4314 section
// 3.7): the rights it always has, and the others; none are tied together, and so
// the virtual ones stand alone.
func Grantable(owner bool) (always string, others []string) {
	kept := Rights(0)
	if owner {
		kept = Kept
	}
	for i := range letters {
		if kept&(1<<i) == 0 {
			others = append(others, letters[i:i+1])
		}
	}
	return kept.Letters(), append(others, "c", "d")
}

// The identifiers that name more than one user, besides groups.
const (
	Anyone        = "anyone"        // RFC 4314 section 2
	Authenticated = "authenticated" // everybody who has logged in
	Owner         = "owner"         // whose mailbox it is
	GroupPrefix   = "group="
)

// Who is somebody who wants to use a mailbox.
type Who struct {
	User   string
	Owner  bool // of this mailbox
	Groups []string
}

// Is reports whether an identifier names w.
func (w Who) Is(identifier string) bool {
	switch identifier {
	case Anyone, Authenticated:
		return true
	case Owner:
		return w.Owner
	}
	if group, ok := strings.CutPrefix(identifier, GroupPrefix); ok {
		return slices.Contains(w.Groups, group)
	}
	return identifier == w.User
}

// Of returns the rights that a list gives w: those of all identifiers that name
// him, without those of the negative ones (RFC 4314 section 2). An owner whom no
// line names as such has all.
func (w Who) Of(list map[string]string) Rights {
	give, take := Rights(0), Rights(0)
	if _, named := list[Owner]; w.Owner && !named {
		give = All
	}
	for identifier, text := range list {
		rights, err := Parse(text)
		positive, negative := strings.CutPrefix(identifier, "-")
		switch {
		case err != nil || !w.Is(positive): // a line that was edited by hand
		case negative:
			take |= rights
		default:
			give |= rights
		}
	}
	give &^= take
	if w.Owner {
		give |= Kept
	}
	return give
}
