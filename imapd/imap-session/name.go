package main

import (
	"posthorn/imapd/internal/charset"
	"posthorn/internal/utf7"
)

// speakUTF8 makes names and quoted strings UTF-8 (RFC 9755 section 3, RFC 9051
// section 5.1).
func (s *Session) speakUTF8() { s.utf8, s.w.UTF8 = true, true }

// encode returns a mailbox name as this client reads it.
func (s *Session) encode(name string) string {
	if s.utf8 {
		return name
	}
	return utf7.Encode(name)
}

// creatable refuses names that are not Net-Unicode from clients that can name them
// otherwise (RFC 9051 section 6.3.4, RFC 5198 section 2).
func (s *Session) creatable(name string) error {
	if s.utf8 && !charset.Composed(name) {
		return no("[CANNOT] mailbox name is not in Normalization Form C")
	}
	return nil
}
