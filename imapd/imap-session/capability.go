package main

import (
	"slices"
	"strconv"
	"strings"

	"posthorn/imapd/internal/wire"
)

func (s *Session) capability(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.w.Raw("* CAPABILITY ", s.announced(), "\r\n")
	return "CAPABILITY completed", nil
}

// announced returns what this client is offered.
func (s *Session) announced() string {
	list := capabilities
	if s.off != nil {
		names := slices.DeleteFunc(strings.Fields(list), func(name string) bool { return !s.offers(name) })
		list = strings.Join(names, " ")
	}
	if s.offers("APPENDLIMIT") {
		list += " APPENDLIMIT=" + strconv.FormatInt(s.limits.maxSize, 10) // RFC 7889 section 2
	}
	if l := s.messageLimit(); l.Most > 0 {
		list += " " + limitName(l) + "=" + strconv.Itoa(l.Most) // RFC 9738 section 3
	}
	if s.canReturn() {
		list += " UNAUTHENTICATE"
	}
	return list
}

// offers reports whether the user is offered a capability.
func (s *Session) offers(name string) bool { return !slices.Contains(s.off, strings.ToUpper(name)) }

// maxEnable bounds the names of one ENABLE.
const maxEnable = 64

// enable answers ENABLE (RFC 5161 section 3.1). What is not known, is not offered, or
// needs no enabling is passed over.
func (s *Session) enable(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	var names []string
	for {
		name, err := c.Args.Atom()
		if err != nil {
			return "", err
		}
		if names = append(names, name); len(names) > maxEnable {
			return "", &wire.SyntaxError{Text: "list too long"}
		}
		if !c.Args.Accept(' ') {
			break
		}
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	enabled := "* ENABLED"
	for _, name := range names {
		if s.offers(name) && s.switchOn(strings.ToUpper(name)) {
			enabled += " " + name
		}
	}
	s.w.Raw(enabled, "\r\n")
	return "ENABLE completed", nil
}

// switchOn enables one extension; false means that none of that name needs it.
func (s *Session) switchOn(name string) bool {
	switch name {
	case "UTF8=ACCEPT":
		s.speakUTF8()
		s.utf8Accept = true
	case "IMAP4REV2":
		s.speakUTF8()
		s.rev2 = true
	case "UIDONLY":
		s.uidOnly = true
	case "CONDSTORE":
		s.wantModSeqs()
	case "QRESYNC":
		s.wantModSeqs()
		s.resync = true
	default:
		return false
	}
	return true
}
