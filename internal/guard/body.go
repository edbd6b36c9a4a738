package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"posthorn/internal/verdict"
)

// cmdData begins a message that ends with a dot.
func (c *Conn) cmdData(arg string) string {
	switch {
	case arg != "":
		c.answer(501, "5.5.4", "DATA takes no argument")
	case !c.mail || c.rcpts == 0:
		c.answer(503, "5.5.1", "say MAIL and RCPT first")
	default:
		d := &dotted{in: c.in}
		c.after = func(code int, r []byte) []byte {
			if code == 354 && c.body == nil {
				c.body = d
				return r
			}
			return c.forOne(r)
		}
		return "DATA"
	}
	return ""
}

// pieces is a message as it comes in. next returns the next bytes, which stand
// in buf or elsewhere until the call after it, and never both none and no error;
// io.EOF is the message's end.
type pieces interface {
	next(buf []byte) ([]byte, error)
}

// data runs the session's Data over the message that the last command began,
// reads what it left of it and lets go-smtp see an empty message.
func (c *Conn) data() error {
	buf := c.g.buffers.Get().(*[bodySize]byte)
	defer c.g.buffers.Put(buf)
	body := &sized{body: c.body, buf: buf[:], left: c.limits.MessageSize, max: c.limits.MessageSize}
	text, err := c.session.Data(c.ctx, body)
	if err == nil && body.ended {
		c.count = counts{messages: c.count.messages + 1, logins: c.count.logins}
		err = verdict.Fail(verdict.Done, "2.0.0", text, nil)
	} else if err == nil {
		err = errors.New("session left a message unread")
	}
	c.drain(body)
	if d, ok := c.body.(*dotted); ok {
		c.ahead = append(bytes.Clone(d.raw), c.ahead...) // which in had not read yet
	}
	c.body = nil
	c.wire.feed = append(c.wire.feed[:0], ".\r\n"...)
	if c.g.o.LMTP {
		c.spread(err)
	}
	return smtpError(err)
}

// spread gives every recipient the verdict of the message as a whole, unless the
// session has had one for each.
func (c *Conn) spread(err error) {
	v := verdict.Of(err)
	if v.Kind == verdict.Done && len(c.each) == c.rcpts {
		return
	}
	if v.Kind == verdict.Done {
		v = verdict.Of(errors.New("session left recipients without an answer"))
	}
	c.each = slices.Repeat([]verdict.Verdict{v}, c.rcpts)
}

// forOne replaces go-smtp's reply to a message for one recipient by ours, where
// each has one. A message refused for many is one error of the client's.
func (c *Conn) forOne(r []byte) []byte {
	if len(c.each) == 0 {
		return r
	}
	v, first := c.each[0], len(c.each) == c.rcpts
	c.each = c.each[1:]
	e := enhanced(v)
	r = line(replyCode(v), fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2]), printable(v.Text))
	if first {
		return r
	}
	c.put(r)
	return nil
}

// drain reads the rest of a message that was refused before its end, at most as
// much again as a message may have.
func (c *Conn) drain(body *sized) {
	if body.ended || c.over() {
		return
	}
	if b, ok := c.body.(*chunks); ok {
		b.last = true // later chunks are commands of their own again
	}
	for n := max(0, -body.left); n <= c.limits.MessageSize; {
		piece, err := c.body.next(body.buf)
		if err != nil {
			return
		}
		n += int64(len(piece))
	}
	c.answer(552, "5.3.4", "message is larger than "+itoa(c.limits.MessageSize)+" bytes")
	c.bye("4.7.0", "message too large")
}

// sized is the message as the session reads it: no more than max bytes.
type sized struct {
	body      pieces
	buf       []byte
	rest      []byte // of the last piece
	left, max int64
	ended     bool // the message's own end was seen
}

func (s *sized) next() ([]byte, error) {
	var piece []byte
	var err error
	if s.left >= 0 {
		piece, err = s.body.next(s.buf)
	}
	if s.left -= int64(len(piece)); s.left < 0 {
		return nil, verdict.Fail(verdict.Never, "5.3.4", "message is larger than "+itoa(s.max)+" bytes", nil)
	}
	s.ended = s.ended || errors.Is(err, io.EOF)
	return piece, err
}

func (s *sized) Read(p []byte) (int, error) {
	for len(s.rest) == 0 && len(p) > 0 {
		var err error
		if s.rest, err = s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// WriteTo spares io.Copy a buffer.
func (s *sized) WriteTo(w io.Writer) (sum int64, err error) {
	piece := s.rest
	for s.rest = nil; err == nil; piece, err = s.next() {
		n, werr := w.Write(piece)
		if sum += int64(n); werr != nil {
			return sum, werr
		}
	}
	if err == io.EOF {
		err = nil
	}
	return sum, err
}
