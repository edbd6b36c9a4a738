package encode

import std "encoding/base64"

// base64 is a body on its way, in lines of 76 characters (RFC 2045 section 6.8).
type base64 struct {
	rest  [57]byte // what makes a line
	n     int
	lines bool // there are some already
}

// add appends what is complete with b.
func (e *base64) add(out, b []byte) []byte {
	for len(b) > 0 {
		k := copy(e.rest[e.n:], b)
		e.n, b = e.n+k, b[k:]
		if e.n == len(e.rest) {
			out = e.line(out)
		}
	}
	return out
}

// end appends the rest; the last line has no end.
func (e *base64) end(out []byte) []byte {
	if e.n > 0 {
		out = e.line(out)
	}
	return out
}

func (e *base64) line(out []byte) []byte {
	if e.lines {
		out = append(out, "\r\n"...)
	}
	out = std.StdEncoding.AppendEncode(out, e.rest[:e.n])
	e.n, e.lines = 0, true
	return out
}
