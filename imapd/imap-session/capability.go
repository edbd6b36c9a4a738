package main

import (
	"strconv"

	"posthorn/imapd/internal/wire"
)

func (s *Session) capability(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.w.Raw("* CAPABILITY ", s.announced(), "\r\n")
	return "CAPABILITY completed", nil
}

// announced returns what this client is told of.
func (s *Session) announced() string {
	return capabilities + " APPENDLIMIT=" + strconv.FormatInt(s.limits.maxSize, 10) // RFC 7889 section 2
}

// enable answers ENABLE (RFC 5161 section 3.1). Nothing of what is announced has
// to be enabled, and what is not known is passed over.
func (s *Session) enable(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	for {
		if _, err := c.Args.Atom(); err != nil {
			return "", err
		}
		if !c.Args.Accept(' ') {
			break
		}
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.w.Raw("* ENABLED\r\n")
	return "ENABLE completed", nil
}
