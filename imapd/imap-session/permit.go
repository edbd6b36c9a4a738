package main

import (
	"errors"
	"strings"

	"posthorn/imapd/internal/acl"
)

// writable are the rights of which a session that changes a mailbox has one (RFC
// 4314 section 5.2).
const writable = acl.Insert | acl.Expunge | acl.Seen | acl.Write | acl.DeleteFlag

// stands looks whether the rights in the mailbox of another are what they were
// when it was selected. Who cannot read it any more has seen the last of it.
func (s *Session) stands() error {
	if s.at.Own {
		return nil
	}
	rights, err := s.realm.RightsAt(s.at)
	switch {
	case err != nil:
		return err
	case !rights.Has(acl.Read):
		return errRevoked
	case rights != s.at.Rights:
		s.at.Rights = rights
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
		return s.at.Allow(acl.Expunge)
	case "MOVE", "REPLACE": // RFC 6851 section 3.3 for the message that goes
		return s.at.Allow(acl.DeleteFlag | acl.Expunge)
	}
	return nil
}

// errRevoked ends a session whose user may not read the mailbox any more.
var errRevoked = errors.New("no right to read the selected mailbox any more")
