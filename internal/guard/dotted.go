package guard

import (
	"bytes"
	"io"
)

// dotted reads a message up to its only end, CRLF.CRLF (RFC 5321 4.1.1.4), and
// leaves out the dots that were put in front of dots (4.5.2).
type dotted struct {
	in    io.Reader
	raw   []byte // read and not looked at; behind the end it is the client's next command
	state dotState
}

type dotState int

const (
	atLine dotState = iota // behind CRLF; the message begins there
	inLine
	sawCR
	sawDot   // a dot at the start of a line, not handed out
	sawDotCR // and a CR behind it, not handed out either
	ended
)

// next returns io.EOF at the message's end and io.ErrUnexpectedEOF when the
// connection breaks off before.
func (d *dotted) next(buf []byte) ([]byte, error) {
	for d.state != ended {
		if len(d.raw) == 0 {
			n, _ := d.in.Read(buf)
			if n == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			d.raw = buf[:n]
		}
		if piece := d.take(); len(piece) > 0 {
			return piece, nil
		}
	}
	return nil, io.EOF
}

// take returns what stands together of the message, which may be nothing.
func (d *dotted) take() []byte {
	first := d.raw[0]
	switch {
	case d.state == sawDot && first == '\r':
		d.raw, d.state = d.raw[1:], sawDotCR
		return nil
	case d.state == sawDotCR && first == '\n':
		d.raw, d.state = d.raw[1:], ended
		return nil
	case d.state == sawDot: // it was stuffing
		d.state = inLine
	case d.state == sawDotCR: // likewise, and the CR stands alone
		d.state = sawCR
		return []byte{'\r'}
	}
	return d.upToDot()
}

// upToDot returns what stands in front of the next dot that begins a line.
func (d *dotted) upToDot() []byte {
	for i := 0; ; i++ {
		k := bytes.IndexByte(d.raw[i:], '.')
		if k < 0 {
			break
		}
		if i += k; d.behind(i) == atLine {
			piece := d.raw[:i]
			d.raw, d.state = d.raw[i+1:], sawDot
			return piece
		}
	}
	piece := d.raw
	d.raw, d.state = nil, d.behind(len(d.raw))
	return piece
}

// behind returns the state behind the first n bytes of raw, none of which is a
// dot that begins a line.
func (d *dotted) behind(n int) dotState {
	switch {
	case n == 0:
		return d.state
	case d.raw[n-1] == '\r':
		return sawCR
	case d.raw[n-1] != '\n':
		return inLine
	case n == 1 && d.state == sawCR, n > 1 && d.raw[n-2] == '\r':
		return atLine
	}
	return inLine
}
