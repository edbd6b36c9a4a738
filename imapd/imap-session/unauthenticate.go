package main

import "posthorn/imapd/internal/wire"

// unauthenticate gives the client back to imapd, as one that has not logged in yet
// (RFC 8437 section 3). The answer ends compression in both directions; what a client
// that compresses sent behind its command cannot be told from compressed data.
func (s *Session) unauthenticate(c *wire.Command) (string, error) {
	if !s.canReturn() {
		return "", &wire.SyntaxError{Text: "unknown command"}
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.unselect()
	s.over = true
	s.w.Raw(c.Tag, " OK UNAUTHENTICATE completed\r\n")
	if err := s.w.Flush(); err != nil {
		return "", broken{err}
	}
	if err := s.conn.Return(s.in.Take()); err != nil {
		s.log.IMAPFailed(s.conn.SID, s.conn.User, c.Name, err)
		s.w.Raw("* BYE local problem, try again later\r\n") // the RFC has no NO here
	}
	return "", nil
}

// canReturn reports whether UNAUTHENTICATE is offered.
func (s *Session) canReturn() bool { return s.conn.CanReturn() && s.offers("UNAUTHENTICATE") }
