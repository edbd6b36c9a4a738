package main

import "posthorn/internal/utf7"

// speakUTF8 is what ENABLE UTF8=ACCEPT turns on (RFC 9755 section 3).
func (s *Session) speakUTF8() { s.utf8, s.w.UTF8 = true, true }

// encode returns a mailbox name as this client reads it.
func (s *Session) encode(name string) string {
	if s.utf8 {
		return name
	}
	return utf7.Encode(name)
}
