package main

import (
	"errors"
	"slices"
	"strings"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// What the names of others' mailboxes begin with (RFC 2342). Names of a user's own
// have no slash.
const (
	sharedPrefix = "Shared/"
	publicPrefix = "Public/"
)

// namespace answers with the namespaces there are (RFC 2342 section 5).
func (s *Session) namespace(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	others, public := "NIL", "NIL"
	if s.shares != nil {
		others = `(("` + sharedPrefix + `" "/"))`
		if s.limits.public != "" {
			public = `(("` + publicPrefix + `" "/"))`
		}
	}
	s.w.Raw(`* NAMESPACE (("" ".")) `, others, " ", public, "\r\n")
	return "NAMESPACE completed", nil
}

// rootOf returns the root of a reference, and what stands between its levels.
func (s *Session) rootOf(reference string) (root, sep string) {
	for _, prefix := range []string{sharedPrefix, publicPrefix} {
		if s.shares != nil && strings.HasPrefix(reference, prefix) {
			return prefix, "/"
		}
	}
	return "", "."
}

// locate finds out whose mailbox a name means. Errors: mailbox.ErrNoFolder,
// mailbox.ErrBadName.
func (s *Session) locate(name string) (place, error) {
	user := s.conn.User
	if !strings.Contains(name, "/") {
		return place{name: name, box: s.box, folder: name, owner: user}, nil
	}
	if !strings.HasPrefix(name, sharedPrefix) && !strings.HasPrefix(name, publicPrefix) {
		return place{}, mailbox.ErrBadName
	}
	owner, folder := s.split(name)
	if s.shares == nil || owner == "" || owner == user || folder == "" || strings.Contains(folder, ".") {
		return place{}, mailbox.ErrNoFolder
	}
	box, err := s.boxOf(owner)
	if err != nil {
		return place{}, err
	}
	folder = mailbox.Canonical(strings.ReplaceAll(folder, "/", "."))
	return place{name: s.foreignName(owner, folder), box: box, folder: folder, owner: owner, private: user}, nil
}

// split takes the name of another's mailbox apart.
func (s *Session) split(name string) (owner, folder string) {
	if rest, ok := strings.CutPrefix(name, publicPrefix); ok {
		return s.limits.public, rest
	}
	if rest, ok := strings.CutPrefix(name, sharedPrefix); ok {
		owner, folder, _ = strings.Cut(rest, "/")
		if owner = strings.ToLower(owner); owner == s.limits.public {
			return "", "" // his have one name only
		}
	}
	return owner, folder
}

// foreignName is the name of another's folder.
func (s *Session) foreignName(owner, folder string) string {
	folder = strings.ReplaceAll(folder, ".", "/")
	if owner == s.limits.public {
		return publicPrefix + folder
	}
	return sharedPrefix + owner + "/" + folder
}

// boxOf opens the box of somebody who shares something with this user, for as long
// as the session lasts.
func (s *Session) boxOf(owner string) (*mailbox.Box, error) {
	owners, err := s.shares.with(acl.Who{User: s.conn.User, Groups: s.groups})
	if err != nil {
		return nil, err
	}
	if !slices.Contains(owners, owner) {
		return nil, mailbox.ErrNoFolder
	}
	if box := s.foreign[owner]; box != nil {
		return box, nil
	}
	box, err := s.shares.box(owner)
	if err != nil {
		return nil, err
	}
	if s.foreign == nil {
		s.foreign = make(map[string]*mailbox.Box)
	}
	s.foreign[owner] = box
	return box, nil
}

// closeForeign closes the boxes of others.
func (s *Session) closeForeign() {
	for _, box := range s.foreign {
		box.Close()
	}
}

// visible returns the names of others' mailboxes that this user may see, with an
// error those that could be looked at.
func (s *Session) visible() (names []string, err error) {
	if s.shares == nil {
		return nil, nil
	}
	owners, err := s.shares.with(acl.Who{User: s.conn.User, Groups: s.groups})
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, owner := range owners {
		some, err := s.visibleOf(owner)
		names, failed = append(names, some...), append(failed, err)
	}
	return names, errors.Join(failed...)
}

// visibleOf returns those of one owner; of one whose box cannot be opened, none.
func (s *Session) visibleOf(owner string) (names []string, err error) {
	box, err := s.boxOf(owner)
	if errors.Is(err, mailbox.ErrNoFolder) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	folders, err := box.Folders()
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		if has, err := box.HasState(folder); err != nil || !has {
			continue
		}
		rights, err := s.rightsAt(place{box: box, folder: folder})
		if err != nil && !errors.Is(err, mailbox.ErrNoFolder) {
			return nil, err
		}
		if rights.Has(acl.Lookup) {
			names = append(names, s.foreignName(owner, folder))
		}
	}
	return names, nil
}

// noteShare is called when a list has changed.
func (s *Session) noteShare(p place) error {
	if s.shares == nil {
		return nil
	}
	return s.shares.note(p.owner, p.box)
}
