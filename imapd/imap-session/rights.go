package main

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
	"posthorn/internal/tables"
)

// maxIdentifiers bounds a list, and maxIdentifier each of its names.
const (
	maxIdentifiers = 1000
	maxIdentifier  = 256
)

// getACL answers GETACL (RFC 4314 section 3.3).
func (s *Session) getACL(c *wire.Command) (string, error) {
	name, err := folderOnly(c)
	if err != nil {
		return "", err
	}
	p, list, err := s.listAt(name)
	if err != nil {
		return "", err
	}
	s.w.Raw("* ACL ")
	s.w.AString(s.encode(name))
	if _, named := list[acl.Owner]; !named {
		s.writeRights(p.Owner, acl.All)
	}
	for _, identifier := range slices.Sorted(maps.Keys(list)) {
		rights, err := acl.Parse(list[identifier])
		if err != nil {
			continue // a line that was edited by hand
		}
		s.writeRights(shown(p, identifier), rights)
	}
	s.w.Raw("\r\n")
	return "GETACL completed", nil
}

func (s *Session) writeRights(identifier string, rights acl.Rights) {
	s.w.Raw(" ")
	s.w.AString(identifier)
	s.w.Raw(" ")
	s.w.AString(rights.String())
}

// listAt returns the list of a mailbox that the user administers.
func (s *Session) listAt(name string) (realm.Place, map[string]string, error) {
	p, err := s.realm.Find(name, acl.Admin)
	if err != nil {
		return p, nil, err
	}
	state, err := p.Box.State(p.Folder)
	if err != nil {
		return p, nil, err
	}
	defer state.Close()
	return p, state.All(statefile.Rights), nil
}

// shown is an identifier as clients see it: the owner has a name.
func shown(p realm.Place, identifier string) string {
	switch identifier {
	case acl.Owner:
		return p.Owner
	case "-" + acl.Owner:
		return "-" + p.Owner
	}
	return identifier
}

// kept is shown the other way, for an identifier of a client. ok is false for one
// that nobody can have.
func (s *Session) kept(p realm.Place, identifier string) (_ string, ok bool) {
	name, negative := strings.CutPrefix(identifier, "-")
	if len(name) > maxIdentifier || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", false
	}
	switch group, isGroup := strings.CutPrefix(name, acl.GroupPrefix); {
	case isGroup:
		ok = group != "" && !strings.ContainsAny(group, " ,")
	case name == acl.Anyone, name == acl.Authenticated, name == acl.Owner:
		ok = true
	case strings.EqualFold(name, p.Owner):
		name, ok = acl.Owner, true
	default:
		canonical, err := tables.Canonical(name, s.limits.domain)
		if name, ok = canonical, err == nil; name == p.Owner {
			name = acl.Owner
		}
	}
	if negative {
		name = "-" + name
	}
	return name, ok
}

// identifierAt takes a mailbox name and an identifier. The user must administer
// that mailbox.
func (s *Session) identifierAt(c *wire.Command) (p realm.Place, given, identifier string, err error) {
	name, err := folderArg(c)
	if err != nil {
		return p, "", "", err
	}
	if err := c.Args.Space(); err != nil {
		return p, "", "", err
	}
	if given, err = c.Args.AString(); err != nil {
		return p, "", "", err
	}
	if p, err = s.realm.Find(name, acl.Admin); err != nil {
		return p, "", "", err
	}
	identifier, ok := s.kept(p, given)
	if !ok {
		return p, "", "", &wire.SyntaxError{Text: "not a possible identifier"} // RFC 4314 section 3
	}
	return p, given, identifier, nil
}

// listRights answers LISTRIGHTS (RFC 4314 section 3.4).
func (s *Session) listRights(c *wire.Command) (string, error) {
	p, given, identifier, err := s.identifierAt(c)
	if err == nil {
		err = c.Args.End()
	}
	if err != nil {
		return "", err
	}
	state, err := p.Box.State(p.Folder)
	if err != nil {
		return "", err
	}
	state.Close()
	always, others := acl.Grantable(identifier == acl.Owner)
	s.w.Raw("* LISTRIGHTS ")
	s.w.AString(s.encode(p.Name))
	s.w.Raw(" ")
	s.w.AString(given)
	s.w.Raw(" ")
	s.w.AString(always)
	s.w.Raw(" ", strings.Join(others, " "), "\r\n")
	return "LISTRIGHTS completed", nil
}

// myRights answers MYRIGHTS (RFC 4314 section 3.5).
func (s *Session) myRights(c *wire.Command) (string, error) {
	name, err := folderOnly(c)
	if err != nil {
		return "", err
	}
	p, err := s.realm.Find(name, 0)
	if err != nil {
		return "", err
	}
	exists, err := p.Box.Exists(p.Folder)
	if err == nil && (!exists || !p.Rights.Any(forMyRights)) {
		err = mailbox.ErrNoFolder
	}
	if err != nil {
		return "", err
	}
	s.writeMyRights(p)
	return "MYRIGHTS completed", nil
}

// forMyRights are the rights of which MYRIGHTS needs one (RFC 4314 section 4).
const forMyRights = acl.Lookup | acl.Read | acl.Insert | acl.Create | acl.Delete | acl.Admin

func (s *Session) writeMyRights(p realm.Place) {
	s.w.Raw("* MYRIGHTS ")
	s.w.AString(s.encode(p.Name))
	s.w.Raw(" ")
	s.w.AString(p.Rights.String())
	s.w.Raw("\r\n")
}

// changeACL answers SETACL and DELETEACL (RFC 4314 sections 3.1 and 3.2).
func (s *Session) changeACL(c *wire.Command) (string, error) {
	p, _, identifier, err := s.identifierAt(c)
	if err != nil {
		return "", err
	}
	change := func(acl.Rights) (acl.Rights, bool) { return 0, false }
	if c.Name == "SETACL" {
		if change, err = modification(c.Args); err != nil {
			return "", err
		}
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	if err := setRights(p, identifier, change); err != nil {
		return "", err
	}
	if p.Name == s.folder {
		if s.at.Rights, err = s.realm.RightsAt(s.at); err != nil {
			return "", err
		}
		s.writeFlagsResponse() // RFC 4314 section 5.1.1
	}
	return c.Name + " completed", s.realm.Note(p)
}

// modification takes the rights of SETACL and returns what becomes of old ones;
// false means that the identifier goes from the list.
func modification(args *wire.Scanner) (func(acl.Rights) (acl.Rights, bool), error) {
	if err := args.Space(); err != nil {
		return nil, err
	}
	text, err := args.AString()
	if err != nil {
		return nil, err
	}
	rights, err := acl.Parse(strings.TrimLeft(text[:min(1, len(text))], "+-") + text[min(1, len(text)):])
	if err != nil {
		return nil, &wire.SyntaxError{Text: err.Error()}
	}
	return func(old acl.Rights) (acl.Rights, bool) {
		switch {
		case strings.HasPrefix(text, "+"):
			return old | rights, true
		case strings.HasPrefix(text, "-"):
			return old &^ rights, true
		}
		return rights, true
	}, nil
}

// setRights changes a list. An owner who was not in it had all rights.
func setRights(p realm.Place, identifier string, change func(acl.Rights) (acl.Rights, bool)) error {
	state, err := p.Box.State(p.Folder)
	if err != nil {
		return err
	}
	defer state.Close()
	return state.Update(func(c *statefile.Changes) error {
		text, named := c.Get(statefile.Rights, identifier)
		old, err := acl.Parse(text)
		if err != nil {
			old = 0
		}
		if identifier == acl.Owner && !named {
			old = acl.All
		}
		rights, stays := change(old)
		switch {
		case !stays, rights == 0 && identifier != acl.Owner:
			c.Drop(statefile.Rights, identifier)
		case !named && len(c.All(statefile.Rights)) >= maxIdentifiers:
			return no("[LIMIT] too many identifiers")
		default:
			c.Set(statefile.Rights, identifier, rights.Letters())
		}
		return nil
	})
}
