package main

import (
	"errors"

	"golang.org/x/sys/unix"

	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// refusal is a NO: the command was understood and is not done.
type refusal struct{ text string } // with its response code (RFC 5530) in front

func (r *refusal) Error() string { return r.text }

func no(text string) error { return &refusal{text} }

// broken is an error of the connection: the session ends.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

// answer writes the tagged answer of a command: done for nil, else what err
// deserves. An error that is returned ends the session.
func (s *Session) answer(c *wire.Command, done string, err error) error {
	if err == nil {
		s.errors = 0
		if done != "" {
			s.w.Raw(c.Tag, " OK ", done, "\r\n")
		}
		return nil
	}
	var lost broken
	var syntax *wire.SyntaxError
	switch {
	case errors.As(err, &lost):
		return err
	case errors.As(err, &syntax):
		s.w.Raw(c.Tag, " BAD ", syntax.Text, "\r\n")
		return s.nonsense()
	}
	s.errors = 0
	text := refusalText(err)
	if text == "" {
		s.log.IMAPFailed(s.conn.SID, s.conn.User, c.Name, err)
		text = troubleText(err)
	}
	s.w.Raw(c.Tag, " NO ", text, "\r\n")
	return nil
}

// completed is the text of an OK. gone says that messages that the command names
// were removed by others, so that nothing was done with them (RFC 5530 section 3,
// EXPUNGEISSUED); their numbers are taken back with the next command that may.
func completed(c *wire.Command, gone bool) string {
	if gone {
		return "[EXPUNGEISSUED] " + c.Name + " completed, but some messages are gone"
	}
	return c.Name + " completed"
}

// refusalText returns what a client is told for err, "" for a local problem.
func refusalText(err error) string {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r.text
	case errors.Is(err, mailbox.ErrNoFolder):
		return "[NONEXISTENT] no such mailbox"
	case errors.Is(err, mailbox.ErrExists):
		return "[ALREADYEXISTS] mailbox exists already"
	case errors.Is(err, mailbox.ErrBadName):
		return "[CANNOT] not a possible mailbox name"
	case errors.Is(err, realm.ErrNoRight):
		return "[NOPERM] no right to do that"
	case errors.Is(err, mailbox.ErrReadOnly):
		return "mailbox is open read-only"
	case errors.Is(err, mailbox.ErrExpunged):
		return "[EXPUNGEISSUED] messages are gone"
	case errors.Is(err, mailbox.ErrOverQuota):
		return "[OVERQUOTA] no room left for this user's mail" // RFC 9208 section 4.3.1
	case errors.Is(err, mailbox.ErrKeywords):
		return "[LIMIT] no room for another keyword"
	case errors.Is(err, mailbox.ErrBadKeyword):
		return "[CANNOT] not a possible keyword"
	}
	return ""
}

// troubleText returns what a client is told of a local problem, with the code
// of RFC 5530 section 3: OVERQUOTA is for what its user can mend.
func troubleText(err error) string {
	switch {
	case errors.Is(err, unix.EDQUOT):
		return "[OVERQUOTA] no room left for this user's mail"
	case errors.Is(err, unix.ENOSPC):
		return "[UNAVAILABLE] the mail system is full, try again later"
	}
	return "[UNAVAILABLE] local problem, try again later"
}

// tryCreate turns a missing destination into the answer of RFC 3501 section
// 6.3.11.
func tryCreate(err error) error {
	if errors.Is(err, mailbox.ErrNoFolder) {
		return no("[TRYCREATE] no such mailbox")
	}
	return err
}
