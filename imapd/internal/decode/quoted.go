package decode

import (
	"bufio"
	"bytes"
	"io"
)

// quoted undoes quoted-printable (RFC 2045 section 6.7). What that does not
// allow stands as it is: mail programs write lines of any length, controls and
// signs that encode nothing.
type quoted struct {
	r     *bufio.Reader
	octet [1]byte
}

func newQuoted(r io.Reader) *quoted { return &quoted{r: bufio.NewReader(r)} }

// lookahead bounds the blanks that may be those at the end of a line, and what
// is decoded at once.
const lookahead = 1000

// Read reads decoded text.
func (q *quoted) Read(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		b, err := q.r.Peek(lookahead)
		if len(b) == 0 && done == 0 {
			return 0, err
		}
		if len(b) == 0 {
			break
		}
		out, n := q.next(b)
		k := copy(p[done:], out)
		if k < len(out) {
			n = k // of what stands as it is
		}
		q.r.Discard(n) // that much was there
		done += k
	}
	return done, nil
}

// next decodes what b begins with, which is all there is or as much as may be
// asked for, and returns how much that was.
func (q *quoted) next(b []byte) (out []byte, n int) {
	if n = run(b, func(c byte) bool { return c != '=' && !blank(c) }); n > 0 {
		return b[:n], n
	}
	if b[0] == '=' {
		n = 1
	}
	n += run(b[n:], blank)
	rest := b[n:]
	end := lineEnd(rest)
	switch {
	case end > 0 || len(rest) == 0 && len(b) < lookahead:
		if b[0] == '=' {
			return nil, n + end // a soft line break
		}
		return nil, n // blanks that were added on the way
	case b[0] != '=':
		return b[:n], n
	case n == 1 && len(rest) > 1 && hex(rest[0]) >= 0 && hex(rest[1]) >= 0:
		q.octet[0] = byte(hex(rest[0])<<4 | hex(rest[1]))
		return q.octet[:], len("=00")
	}
	return b[:1], 1
}

// run returns how many bytes at the start of b are such.
func run(b []byte, such func(byte) bool) (n int) {
	for n < len(b) && such(b[n]) {
		n++
	}
	return n
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// lineEnd returns the length of the line end that b begins with, 0 if there is
// none.
func lineEnd(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("\n")):
		return 1
	case bytes.HasPrefix(b, []byte("\r\n")):
		return 2
	}
	return 0
}
