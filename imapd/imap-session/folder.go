package main

import (
	"strings"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
)

// folderArg takes a space and a mailbox name. A name that cannot be one does
// not exist.
func folderArg(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	return folderName(c.Args)
}

// folderName takes a mailbox name.
func folderName(args *wire.Scanner) (string, error) {
	name, ok, err := args.Mailbox()
	if err == nil && !ok {
		err = no("[CANNOT] mailbox name is neither UTF-8 nor modified UTF-7") // RFC 3501 section 5.1.3
	}
	return mailbox.Canonical(name), err
}

// folderOnly is folderArg for commands that have no other argument.
func folderOnly(c *wire.Command) (string, error) {
	name, err := folderArg(c)
	if err != nil {
		return "", err
	}
	return name, c.Args.End()
}

func (s *Session) subscribe(c *wire.Command, on bool) (string, error) {
	name, err := folderOnly(c)
	if err != nil {
		return "", err
	}
	return c.Name + " completed", s.realm.Box.Subscribe(name, on)
}

func (s *Session) create(c *wire.Command) (string, error) {
	name, uses, err := createArgs(c)
	if err != nil {
		return "", err
	}
	if err := s.creatable(name); err != nil {
		return "", err
	}
	// A separator at the end says that names below will follow (RFC 3501
	// section 6.3.3); nothing needs to be done for that.
	p, parent, err := s.newPlace(strings.TrimSuffix(name, realm.Levels(name)))
	switch {
	case err != nil:
		return "", err
	case uses != nil && !p.Own:
		return "", no("[USEATTR] special uses are for one's own mailboxes") // RFC 6154 section 3
	}
	if err := p.Box.Create(p.Folder); err != nil {
		return "", err
	}
	if err := inherit(p, parent); err != nil {
		return "", err
	}
	if err := s.setUses(p.Name, uses); err != nil {
		return "", err
	}
	status, err := p.Box.Status(p.Folder)
	if err != nil {
		return "", err
	}
	return "[MAILBOXID (" + status.ID + ")] CREATE completed", nil // RFC 8474 section 4.1
}

// newPlace locates a mailbox that is to be made, and the one above it whose rights
// it gets.
func (s *Session) newPlace(name string) (p, parent realm.Place, err error) {
	if p, err = s.realm.Locate(name); err == nil {
		parent, err = s.realm.Above(p)
	}
	return p, parent, err
}

// inherit gives a new mailbox the list of the one above it (RFC 4314 section 4).
func inherit(p, parent realm.Place) error {
	if parent.Box == nil {
		return nil
	}
	if has, err := parent.Box.HasState(parent.Folder); err != nil || !has {
		return err
	}
	return copyFacts(parent, p, statefile.Rights)
}

// deleteFolder removes a folder; its own session has left it then, others that
// have it selected are ended.
func (s *Session) deleteFolder(c *wire.Command) (string, error) {
	name, err := folderOnly(c)
	if err != nil {
		return "", err
	}
	if name == "INBOX" { // RFC 3501 section 6.3.4
		return "", no("[CANNOT] INBOX cannot be deleted")
	}
	p, err := s.realm.Find(name, acl.Delete)
	if err != nil {
		return "", err
	}
	if err := p.Box.Delete(p.Folder); err != nil {
		return "", err
	}
	if p.Name == s.folder {
		s.unselect()
	}
	return "DELETE completed", nil
}

// renameFolder gives a folder, with those below it, another name.
func (s *Session) renameFolder(c *wire.Command) (string, error) {
	from, err := folderArg(c)
	if err != nil {
		return "", err
	}
	to, err := folderOnly(c)
	if err != nil {
		return "", err
	}
	if err := s.creatable(to); err != nil {
		return "", err
	}
	p, err := s.realm.Find(from, acl.Delete)
	if err != nil {
		return "", err
	}
	dest, _, err := s.newPlace(strings.TrimSuffix(to, realm.Levels(to)))
	switch {
	case err != nil:
		return "", err
	case dest.Box != p.Box:
		return "", no("[CANNOT] a mailbox cannot go to another user")
	case p.Folder == "INBOX" && !p.Own:
		return "", no("[CANNOT] INBOX is its owner's to rename")
	}
	if err := p.Box.Rename(p.Folder, dest.Folder); err != nil {
		return "", err
	}
	if from == "INBOX" {
		return "RENAME completed", s.copyAnnotations(dest.Folder)
	}
	if s.folder == p.Name || strings.HasPrefix(s.folder, p.Name+realm.Levels(p.Name)) {
		s.unselect()
	}
	return "RENAME completed", nil
}
