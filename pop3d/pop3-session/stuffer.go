package main

import (
	"bytes"
	"errors"
)

// errEnough ends the copying of a message whose lines have been counted out.
var errEnough = errors.New("enough lines")

// stuffer writes a message as the answer to a command: lines that begin with a
// dot get a second one, and a line of one dot ends it (RFC 1939 3).
type stuffer struct {
	t       *transaction
	bol     bool // at the beginning of a line
	counted bool // only lines more lines are written
	lines   int
}

// write adds p, whose line ends are CRLF, to the output.
func (s *stuffer) write(p []byte) error {
	for len(p) > 0 {
		if s.counted && s.bol && s.lines == 0 {
			return errEnough
		}
		if s.bol && p[0] == '.' {
			s.t.out = append(s.t.out, '.')
		}
		n := s.stretch(p)
		s.t.out = append(s.t.out, p[:n]...)
		s.bol = p[n-1] == '\n'
		if s.counted && s.bol {
			s.lines--
		}
		p = p[n:]
	}
	return nil
}

// stretch returns how much of p can be written before the next line that needs
// a look.
func (s *stuffer) stretch(p []byte) int {
	next := "\n."
	if s.counted {
		next = "\n"
	}
	if i := bytes.Index(p, []byte(next)); i >= 0 {
		return i + 1
	}
	return len(p)
}

// end finishes the message. A last line without an end gets one here, which is
// no part of the message and not in its size.
func (s *stuffer) end() {
	if !s.bol {
		s.t.out = append(s.t.out, '\r', '\n')
	}
	s.t.out = append(s.t.out, '.', '\r', '\n')
}
