package recode

import "encoding/base64"

// lineMax is the longest encoded line (RFC 2045 6.7, 6.8).
const lineMax = 76

// encoder makes the encoded form of one body. Form is quoted-printable, base64,
// or "" for none.
type encoder struct {
	form   string
	column int
	blank  byte   // quoted-printable: a space or tab that may end its line
	rest   []byte // base64: up to two bytes that wait for a third
}

// add appends the form of bytes that hold no line end.
func (e *encoder) add(out, b []byte) []byte {
	if e.form == "base64" {
		return e.add64(out, b)
	}
	for _, c := range b {
		out = e.addQP(out, c)
	}
	return out
}

// newline appends a line end of the body that is followed by more.
func (e *encoder) newline(out []byte) []byte {
	if e.form == "base64" {
		return e.add64(out, []byte("\r\n"))
	}
	out = append(e.release(out, false), '\r', '\n')
	e.column = 0
	return out
}

// lastNewline is newline for the line end after which nothing comes: in
// quoted-printable it is the one that close's caller writes.
func (e *encoder) lastNewline(out []byte) []byte {
	if e.form == "base64" {
		return e.add64(out, []byte("\r\n"))
	}
	return out
}

// close appends what is held back. The caller ends the line.
func (e *encoder) close(out []byte) []byte {
	if e.form != "base64" {
		return e.release(out, false)
	}
	if len(e.rest) == 0 {
		return out
	}
	return base64.StdEncoding.AppendEncode(e.wrap(out), e.rest)
}

const hex = "0123456789ABCDEF"

// addQP appends one byte, which is no line end: a CR here is bare, and encoded.
func (e *encoder) addQP(out []byte, c byte) []byte {
	out = e.release(out, true)
	if c == ' ' || c == '\t' {
		e.blank = c
		return out
	}
	return e.put(out, c, c > ' ' && c <= '~' && c != '=')
}

// release appends the blank held back: as it is when more follows on the line,
// else encoded, for it would be lost (RFC 2045 6.7 rule 3).
func (e *encoder) release(out []byte, plain bool) []byte {
	if e.blank == 0 {
		return out
	}
	c := e.blank
	e.blank = 0
	return e.put(out, c, plain)
}

func (e *encoder) put(out []byte, c byte, plain bool) []byte {
	width := 3
	if plain {
		width = 1
	}
	if e.column+width > lineMax-1 { // Room is left for the soft line break.
		out = append(out, '=', '\r', '\n')
		e.column = 0
	}
	e.column += width
	if plain {
		return append(out, c)
	}
	return append(out, '=', hex[c>>4], hex[c&15])
}

// add64 encodes in groups of three bytes.
func (e *encoder) add64(out, b []byte) []byte {
	for _, c := range b {
		if e.rest = append(e.rest, c); len(e.rest) == 3 {
			out = base64.StdEncoding.AppendEncode(e.wrap(out), e.rest)
			e.rest = e.rest[:0]
		}
	}
	return out
}

// wrap begins a new line when four more characters do not fit.
func (e *encoder) wrap(out []byte) []byte {
	if e.column+4 > lineMax {
		out = append(out, '\r', '\n')
		e.column = 0
	}
	e.column += 4
	return out
}
