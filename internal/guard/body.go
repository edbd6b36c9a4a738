package guard

import (
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
		d := &dotted{r: c.in}
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

// data runs the session's Data over the message that the last command began,
// reads what it left of it and lets go-smtp see an empty message.
func (c *Conn) data() error {
	body := &sized{r: c.body, left: c.limits.MessageSize, max: c.limits.MessageSize}
	text, err := c.session.Data(c.ctx, body)
	if err == nil && body.ended {
		c.count = counts{messages: c.count.messages + 1, logins: c.count.logins}
		err = verdict.Fail(verdict.Done, "2.0.0", text, nil)
	} else if err == nil {
		err = errors.New("session left a message unread")
	}
	c.drain(body)
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
	if _, err := io.CopyN(io.Discard, c.body, c.limits.MessageSize+1); err == nil {
		c.answer(552, "5.3.4", "message is larger than "+itoa(c.limits.MessageSize)+" bytes")
		c.bye("4.7.0", "message too large")
	}
}

// sized is the message as the session reads it: no more than max bytes.
type sized struct {
	r         io.Reader
	left, max int64
	ended     bool // the message's own end was seen
}

func (s *sized) Read(p []byte) (int, error) {
	if s.left >= 0 && int64(len(p)) > s.left+1 {
		p = p[:s.left+1]
	}
	n, err := 0, error(nil)
	if s.left >= 0 {
		n, err = s.r.Read(p)
	}
	if s.left -= int64(n); s.left < 0 {
		return 0, verdict.Fail(verdict.Never, "5.3.4", "message is larger than "+itoa(s.max)+" bytes", nil)
	}
	s.ended = s.ended || errors.Is(err, io.EOF)
	return n, err
}
