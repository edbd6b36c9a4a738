package main

import "posthorn/imapd/internal/wire"

// idle begins an IDLE (RFC 2177); until DONE changes of the folder wake the
// session.
func (s *Session) idle(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.idling = c.Tag
	s.attend()
	s.w.Raw("+ idling\r\n")
	return "", nil
}

// endIdle takes the line that ends an IDLE.
func (s *Session) endIdle() error {
	done, err := s.r.Line("DONE")
	if err != nil {
		return err
	}
	tag := s.idling
	s.idling = ""
	s.attend()
	if !done {
		s.w.Raw(tag, " BAD expected DONE\r\n")
		return s.nonsense()
	}
	if err := s.announce(true); err != nil {
		return err
	}
	s.w.Raw(tag, " OK IDLE completed\r\n")
	return nil
}
