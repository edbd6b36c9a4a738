package message

import (
	"bytes"
	"errors"
)

// Errors of Lines: what may not stand in a message from the network
// (RFC 5321 2.3.8 and 4.1.1.4, RFC 5322 4.1).
var (
	ErrBareCR = errors.New("carriage return without line feed")
	ErrBareLF = errors.New("line feed without carriage return")
	ErrNUL    = errors.New("NUL byte")
)

// Lines lets through messages whose lines end in CRLF and that hold no NUL.
//
// What else there is, is refused with one of the errors above, or put right
// when Normalize is set: a bare LF becomes CRLF, a bare CR a space (a line end
// there could end the header early), a NUL goes. In both cases a last line
// without its end gets one.
type Lines struct {
	Normalize bool

	cr   bool // the last byte was a CR, not written yet
	open bool // a line has begun and not ended
	buf  []byte
}

// Pass returns the checked form of src, until the next call: src itself where
// nothing is to be put right.
func (l *Lines) Pass(src []byte) (out []byte, err error) {
	if len(src) > 0 && !l.cr && whole(src) {
		l.open = src[len(src)-1] != '\n'
		return src, nil
	}
	l.buf, err = l.Append(l.buf[:0], src)
	return l.buf, err
}

// whole reports whether b has a CR in front of each LF, no other one, and no NUL.
func whole(b []byte) bool {
	lines := 0
	for rest := b; ; lines++ {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		if i == 0 || rest[i-1] != '\r' {
			return false
		}
		rest = rest[i+1:]
	}
	return bytes.Count(b, []byte{'\r'}) == lines && bytes.IndexByte(b, 0) < 0
}

// Append appends the checked form of src to dst. After an error the stage is of
// no further use.
func (l *Lines) Append(dst, src []byte) ([]byte, error) {
	for i := 0; i < len(src); {
		run := i
		for i < len(src) && src[i] > '\r' {
			i++
		}
		if i > run {
			var err error
			if dst, err = l.settle(dst); err != nil {
				return dst, err
			}
			dst, l.open = append(dst, src[run:i]...), true
			continue
		}
		var err error
		if dst, err = l.special(dst, src[i]); err != nil {
			return dst, err
		}
		i++
	}
	return dst, nil
}

// special handles one byte that may matter.
func (l *Lines) special(dst []byte, c byte) ([]byte, error) {
	switch c {
	case '\n':
		if !l.cr && !l.Normalize {
			return dst, ErrBareLF
		}
		l.cr, l.open = false, false
		return append(dst, '\r', '\n'), nil
	case 0:
		if !l.Normalize {
			return dst, ErrNUL
		}
		return dst, nil
	}
	dst, err := l.settle(dst)
	if err != nil {
		return dst, err
	}
	l.open = true
	if c == '\r' {
		l.cr = true
		return dst, nil
	}
	return append(dst, c), nil
}

// settle decides on a CR that no LF followed.
func (l *Lines) settle(dst []byte) ([]byte, error) {
	if !l.cr {
		return dst, nil
	}
	if !l.Normalize {
		return dst, ErrBareCR
	}
	l.cr = false
	return append(dst, ' '), nil
}

// Finish appends what the end of the message calls for.
func (l *Lines) Finish(dst []byte) ([]byte, error) {
	dst, err := l.settle(dst)
	if err != nil || !l.open {
		return dst, err
	}
	l.open = false
	return append(dst, '\r', '\n'), nil
}
