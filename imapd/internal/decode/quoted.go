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

// AppendQuoted appends what quoted-printable stands for, as NewReader reads it.
func AppendQuoted(dst, src []byte) []byte {
	for len(src) > 0 {
		n := bytes.IndexByte(src, '\n') + 1
		if n == 0 {
			n = len(src)
		}
		line := src[:n]
		src = src[n:]
		text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		end := line[len(text):]
		if lineEnd(end) == 0 {
			text, end = line, nil // a CR at the very end is text
		}
		for len(text) > 0 && blank(text[len(text)-1]) { // added on the way
			text = text[:len(text)-1]
		}
		if text, soft := bytes.CutSuffix(text, []byte("=")); soft {
			dst = appendOctets(dst, text)
			continue
		}
		dst = append(appendOctets(dst, text), end...)
	}
	return dst
}

// appendOctets appends a piece of a line.
func appendOctets(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '=')
		if i < 0 {
			return append(dst, text...)
		}
		dst, text = append(dst, text[:i]...), text[i:]
		if len(text) > 2 && hex(text[1]) >= 0 && hex(text[2]) >= 0 {
			dst, text = append(dst, byte(hex(text[1])<<4|hex(text[2]))), text[len("=00"):]
		} else {
			dst, text = append(dst, '='), text[1:]
		}
	}
}
