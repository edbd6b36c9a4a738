package main

import (
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// search answers SEARCH and UID SEARCH (RFC 3501 section 6.4.4).
func (s *Session) search(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	q, err := query.ParseSearch(c.Args)
	if err != nil {
		return "", err
	}
	switch q.Charset {
	case "", "UTF-8", "US-ASCII":
	default:
		return "", no("[BADCHARSET (US-ASCII UTF-8)] charset not supported")
	}
	key, err := s.prepare(q.Key)
	if err != nil {
		return "", err
	}
	s.w.Raw("* SEARCH")
	for seq := 1; seq <= s.view.Len(); seq++ {
		found, err := s.matches(seq, key)
		if err != nil {
			s.w.Raw("\r\n")
			return "", err
		}
		if !found {
			continue
		}
		s.w.Raw(" ")
		if isUID(c) {
			s.w.Num(uint64(s.view.At(seq).UID))
		} else {
			s.w.Num(uint64(seq))
		}
	}
	s.w.Raw("\r\n")
	return c.Name + " completed", nil
}
