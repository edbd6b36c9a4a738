package guard

import (
	"bufio"
	"bytes"
	"io"
)

// dotted reads a message up to its only end, CRLF.CRLF (RFC 5321 4.1.1.4), and
// takes away the dots that were put in front of dots (4.5.2).
type dotted struct {
	r     *bufio.Reader
	state dotState
	spare []byte // read for a reader that had no room
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

// Read returns io.EOF at the message's end and io.ErrUnexpectedEOF when the
// connection breaks off before.
func (d *dotted) Read(p []byte) (int, error) {
	if len(p) < 2 { // a step hands out up to two bytes
		return d.readOne(p)
	}
	if len(d.spare) > 0 {
		n := copy(p, d.spare)
		d.spare = d.spare[n:]
		return n, nil
	}
	for d.state != ended {
		if _, err := d.r.Peek(1); err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		buf, _ := d.r.Peek(d.r.Buffered()) // has them all
		taken, n := d.take(p, buf)
		d.r.Discard(taken) // likewise
		if n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

// readOne serves a reader that wants less than a step may give.
func (d *dotted) readOne(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	var b [2]byte
	k, err := d.Read(b[:])
	n := copy(p, b[:k])
	d.spare = append(d.spare, b[n:k]...)
	return n, err
}

// take moves bytes of src to dst until either is used up or the message ends.
func (d *dotted) take(dst, src []byte) (taken, n int) {
	for taken < len(src) && n+2 <= len(dst) && d.state != ended {
		if d.state == inLine {
			run := src[taken:]
			if room := len(dst) - n; len(run) > room {
				run = run[:room]
			}
			if i := bytes.IndexByte(run, '\r'); i >= 0 {
				run, d.state = run[:i+1], sawCR
			}
			n += copy(dst[n:], run)
			taken += len(run)
			continue
		}
		n += d.step(dst[n:], src[taken])
		taken++
	}
	return taken, n
}

// step takes one byte where it may be part of a line's end or of the message's.
func (d *dotted) step(dst []byte, b byte) (n int) {
	switch {
	case d.state == atLine && b == '.':
		d.state = sawDot
		return 0
	case d.state == sawDot && b == '\r':
		d.state = sawDotCR
		return 0
	case d.state == sawDotCR && b == '\n':
		d.state = ended
		return 0
	case d.state == sawDotCR: // the dot was stuffing, the CR stands alone
		dst[0], n = '\r', 1
		d.state = sawCR
	}
	switch {
	case b == '\r':
		d.state = sawCR
	case b == '\n' && d.state == sawCR:
		d.state = atLine
	default:
		d.state = inLine
	}
	dst[n] = b
	return n + 1
}
