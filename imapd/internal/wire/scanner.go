package wire

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"posthorn/internal/utf7"
)

// SyntaxError is an argument that does not follow the grammar; its text is for
// the client, in a BAD answer.
type SyntaxError struct{ Text string }

// Error returns the text for the client.
func (e *SyntaxError) Error() string { return e.Text }

func bad(text string) error { return &SyntaxError{text} }

// Scanner takes the arguments of a command apart, from left to right. Every
// method either takes what it is named after or returns a *SyntaxError. The
// strings it returns are copies.
type Scanner struct {
	UTF8 bool // the client has enabled UTF8=ACCEPT: names and quoted strings are UTF-8
	b    []byte
	i    int
}

// NewScanner returns a scanner of b, which holds literals in the form they have
// on the wire.
func NewScanner(b []byte) *Scanner { return &Scanner{b: b} }

// Peek returns the next byte, 0 at the end (NUL never occurs in a command).
func (s *Scanner) Peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// Accept takes the byte c if it is next.
func (s *Scanner) Accept(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// AcceptText takes text, in any case, if it is next.
func (s *Scanner) AcceptText(text string) bool {
	rest := s.b[s.i:]
	if len(rest) < len(text) || !bytes.EqualFold(rest[:len(text)], []byte(text)) {
		return false
	}
	s.i += len(text)
	return true
}

// Expect takes the byte c, which must be next.
func (s *Scanner) Expect(c byte) error {
	if s.Accept(c) {
		return nil
	}
	return bad("expected " + strconv.QuoteToASCII(string(rune(c))))
}

// Space takes the one space between two arguments.
func (s *Scanner) Space() error {
	if s.Accept(' ') {
		return nil
	}
	return bad("missing argument")
}

// End checks that nothing is left; blanks at the end of a line are forgiven. It
// takes nothing.
func (s *Scanner) End() error {
	if len(bytes.TrimRight(s.b[s.i:], " ")) > 0 {
		return bad("unexpected argument")
	}
	return nil
}

// Tag takes a tag.
func (s *Scanner) Tag() (string, error) {
	b := s.take(func(c byte) bool { return isAString(c) && c != '+' })
	if len(b) == 0 || len(b) > maxTag {
		return "", bad("invalid tag")
	}
	return string(b), nil
}

// Atom takes an atom.
func (s *Scanner) Atom() (string, error) {
	b := s.take(isAtom)
	if len(b) == 0 {
		return "", bad("expected an atom")
	}
	return string(b), nil
}

// Word takes a run of letters, digits, points and hyphens: the name of a FETCH
// item, a section or a search key. It returns it in upper case, "" if there is
// none.
func (s *Scanner) Word() string {
	return string(bytes.ToUpper(s.take(func(c byte) bool {
		return c == '.' || c == '-' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
	})))
}

// AString takes an atom or a string.
func (s *Scanner) AString() (string, error) {
	switch s.Peek() {
	case '"', '{':
		return s.String()
	}
	b := s.take(isAString)
	if len(b) == 0 {
		return "", bad("expected a string")
	}
	return string(b), nil
}

// String takes a quoted string or a literal.
func (s *Scanner) String() (string, error) {
	switch {
	case s.Accept('"'):
		return s.quoted()
	case s.Peek() == '{':
		return s.literal(false)
	}
	return "", bad("expected a string")
}

// NString takes a string or NIL; ok is false for NIL.
func (s *Scanner) NString() (v string, ok bool, err error) {
	if c := s.Peek(); c == '"' || c == '{' {
		v, err = s.String()
		return v, err == nil, err
	}
	if s.Word() != "NIL" {
		return "", false, bad("expected a string or NIL")
	}
	return "", false, nil
}

// Value takes a string, a literal8 or NIL (RFC 5464 section 5, value); ok is false
// for NIL.
func (s *Scanner) Value() (v string, ok bool, err error) {
	if s.Peek() == '~' {
		v, err = s.literal(true)
		return v, err == nil, err
	}
	return s.NString()
}

// Pattern takes a mailbox name with wildcards, as LIST has it (RFC 3501
// section 9, list-mailbox), in the encoding of the wire.
func (s *Scanner) Pattern() (string, error) {
	switch s.Peek() {
	case '"', '{':
		return s.String()
	}
	b := s.take(func(c byte) bool { return isAString(c) || c == '%' || c == '*' })
	if len(b) == 0 {
		return "", bad("expected a mailbox pattern")
	}
	return string(b), nil
}

// Mailbox takes a mailbox name and returns it in UTF-8; INBOX in any case is
// "INBOX" (RFC 3501 section 5.1). What is not US-ASCII is taken for UTF-8 (RFC 9755
// section 3), else a name is modified UTF-7 unless UTF8 says otherwise. One that is
// neither is returned with ok false.
func (s *Scanner) Mailbox() (name string, ok bool, err error) {
	raw, err := s.AString()
	if err != nil {
		return "", false, err
	}
	if len(raw) == 5 && bytes.EqualFold([]byte(raw), []byte("INBOX")) {
		return "INBOX", true, nil
	}
	if s.UTF8 || strings.ContainsFunc(raw, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return raw, utf8.ValidString(raw), nil
	}
	name, err = utf7.Decode(raw)
	return name, err == nil, nil
}

// Number takes a number of at most 32 bits (RFC 3501 section 9, number).
func (s *Scanner) Number() (uint32, error) {
	b := s.take(func(c byte) bool { return '0' <= c && c <= '9' })
	n, err := strconv.ParseUint(string(b), 10, 32)
	if err != nil {
		return 0, bad("expected a number")
	}
	return uint32(n), nil
}

// Number64 takes a number of at most 63 bits (RFC 9051 section 9, number64).
func (s *Scanner) Number64() (uint64, error) {
	b := s.take(func(c byte) bool { return '0' <= c && c <= '9' })
	n, err := strconv.ParseUint(string(b), 10, 63)
	if err != nil {
		return 0, bad("expected a number")
	}
	return n, nil
}

// List takes a list in parentheses of at most limit items that are separated by
// spaces; item takes one. The list may be empty.
func (s *Scanner) List(limit int, item func() error) error {
	if err := s.Expect('('); err != nil {
		return err
	}
	for n := 0; !s.Accept(')'); n++ {
		if n == limit {
			return bad("list too long")
		}
		if n > 0 {
			if err := s.Space(); err != nil {
				return err
			}
		}
		if err := item(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scanner) take(is func(byte) bool) []byte {
	start := s.i
	for s.i < len(s.b) && is(s.b[s.i]) {
		s.i++
	}
	return s.b[start:s.i]
}

// quoted takes a quoted string behind its first quote. Bytes above 127 are let
// through: clients send mailbox names and search texts in UTF-8.
func (s *Scanner) quoted() (string, error) {
	var out []byte
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			if s.UTF8 && !utf8.Valid(out) { // RFC 9755 section 3
				return "", bad("quoted string is not UTF-8")
			}
			return string(out), nil
		case c == '\\':
			if c = s.Peek(); c != '"' && c != '\\' {
				return "", bad("invalid escape in a quoted string")
			}
			s.i++
		case c == 0 || c == '\r' || c == '\n':
			return "", bad("invalid character in a quoted string")
		}
		out = append(out, c)
	}
	return "", bad("quoted string without end")
}

// literal takes a literal that the Reader has collected.
func (s *Scanner) literal(binary bool) (string, error) {
	rest := s.b[s.i:]
	end := bytes.IndexByte(rest, '\n') + 1
	l, ok := literalAt(rest[:end])
	if !ok || l.start != 0 || l.binary != binary || l.size > int64(len(rest)-end) {
		return "", bad("invalid literal")
	}
	data := rest[end : end+int(l.size)]
	if !binary && bytes.IndexByte(data, 0) >= 0 {
		return "", bad("NUL in a literal") // RFC 3501 section 4.3.1
	}
	s.i += end + len(data)
	return string(data), nil
}

// isAtom is ATOM-CHAR of RFC 3501 section 9.
func isAtom(c byte) bool { return isAString(c) && c != ']' }

// isAString is ASTRING-CHAR.
func isAString(c byte) bool {
	if c <= ' ' || c >= 0x7f {
		return false
	}
	switch c {
	case '(', ')', '{', '%', '*', '"', '\\':
		return false
	}
	return true
}

// ID takes the arguments of ID (RFC 2971 section 3.1), which nobody here
// reads: NIL, or at most 30 names with their values.
func (s *Scanner) ID() error {
	if s.Peek() != '(' {
		if _, ok, err := s.NString(); err != nil || ok {
			return bad("expected a list or NIL")
		}
		return nil
	}
	return s.List(30, func() error {
		if _, err := s.String(); err != nil {
			return err
		}
		if err := s.Space(); err != nil {
			return err
		}
		_, _, err := s.NString()
		return err
	})
}
