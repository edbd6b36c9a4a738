package main

import (
	"errors"
	"strings"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
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
	if err := recode(&q.Key, q.Charset); err != nil {
		return "", err
	}
	key, err := s.prepare(q.Key)
	if err != nil {
		return "", err
	}
	gone := false
	s.w.Raw("* SEARCH")
	for seq := 1; seq <= s.view.Len(); seq++ {
		found, err := s.matches(seq, key)
		if errors.Is(err, mailbox.ErrExpunged) {
			gone = true
			continue
		}
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
	return completed(c, gone), nil
}

// recode turns the texts of a key, which are of the charset name, into UTF-8.
// Where none is named they are US-ASCII (RFC 3501 section 6.4.4), and what a
// client sends beyond that is taken for UTF-8.
func recode(k *query.Key, name string) error {
	if name == "" {
		return nil
	}
	if _, ok := charset.Lookup(name); !ok {
		// RFC 3501 section 7.1.
		return no("[BADCHARSET (" + strings.Join(charset.Names(), " ") + ")] charset not supported")
	}
	var ok bool
	if k.Text, ok = charset.Decode(name, k.Text); !ok {
		return no("text does not follow its charset")
	}
	for i := range k.Sub {
		if err := recode(&k.Sub[i], name); err != nil {
			return err
		}
	}
	return nil
}
