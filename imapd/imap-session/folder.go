package main

import (
	"strings"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
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
	return c.Name + " completed", s.box.Subscribe(name, on)
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
	name = strings.TrimSuffix(name, ".")
	if err := s.box.Create(name); err != nil {
		return "", err
	}
	if err := s.setUses(name, uses); err != nil {
		return "", err
	}
	status, err := s.box.Status(name)
	if err != nil {
		return "", err
	}
	return "[MAILBOXID (" + status.ID + ")] CREATE completed", nil // RFC 8474 section 4.1
}

// deleteFolder removes a folder; its own session leaves it first, others that
// have it selected are ended.
func (s *Session) deleteFolder(c *wire.Command) (string, error) {
	name, err := folderOnly(c)
	if err != nil {
		return "", err
	}
	if name == "INBOX" { // RFC 3501 section 6.3.4
		return "", no("[CANNOT] INBOX cannot be deleted")
	}
	if name == s.folder {
		s.unselect()
	}
	return "DELETE completed", s.box.Delete(name)
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
	if from != "INBOX" && (s.folder == from || strings.HasPrefix(s.folder, from+".")) {
		s.unselect()
	}
	to = strings.TrimSuffix(to, ".")
	if err := s.box.Rename(from, to); err != nil || from != "INBOX" {
		return "RENAME completed", err
	}
	return "RENAME completed", s.copyAnnotations(to)
}
