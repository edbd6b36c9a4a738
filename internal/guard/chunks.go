package guard

import (
	"errors"
	"io"
	"strconv"
	"strings"
)

// errReset ends a message that the client took back.
var errReset = errors.New("message taken back")

// cmdBdat begins a message that comes in chunks (RFC 3030), which go-smtp is told
// of as a DATA.
func (c *Conn) cmdBdat(arg string) string {
	size, last, ok := c.parseBdat(arg)
	switch {
	case !ok:
	case !c.mail || c.rcpts == 0:
		// The chunk follows the command whether it was wanted or not.
		if n, _ := io.CopyN(io.Discard, c.in, size); n == size {
			c.answer(503, "5.5.1", "say MAIL and RCPT first")
		}
	default:
		b := &chunks{c: c, left: size, last: last}
		c.after = func(code int, r []byte) []byte {
			if code == 354 && c.body == nil {
				c.body = b
				return nil
			}
			return b.outcome(r)
		}
		return "DATA"
	}
	return ""
}

// parseBdat reads the argument of BDAT. What is no size, or too much, ends the
// connection: where the chunk ends and commands go on cannot be known, or is
// further away than we read.
func (c *Conn) parseBdat(arg string) (size int64, last, ok bool) {
	number, word, more := strings.Cut(arg, " ")
	size, err := strconv.ParseInt(number, 10, 63)
	if err != nil || strings.HasPrefix(number, "+") || size < 0 || more && !strings.EqualFold(word, "LAST") {
		c.answer(501, "5.5.4", "expected BDAT and a size, then nothing or LAST")
		c.bye("4.7.0", "malformed BDAT")
		return 0, false, false
	}
	if size > c.limits.MessageSize {
		c.answer(552, "5.3.4", "message is larger than "+itoa(c.limits.MessageSize)+" bytes")
		c.bye("4.7.0", "message too large")
		return 0, false, false
	}
	return size, more, true
}

// chunks reads a message that comes by BDAT, with the commands that may stand
// between two chunks.
type chunks struct {
	c    *Conn
	left int64 // of this chunk
	last bool
	end  []byte // the reply to what ended the message, if not LAST
	quit bool
	told bool // end was given
}

// next returns io.EOF behind the last chunk and errReset when the client took
// the message back.
func (b *chunks) next(buf []byte) ([]byte, error) {
	for b.left == 0 {
		if b.last {
			return nil, io.EOF
		}
		if err := b.following(); err != nil {
			return nil, err
		}
	}
	n, err := b.c.in.Read(buf[:min(int64(len(buf)), b.left)])
	b.left -= int64(n)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return buf[:n], nil
}

// following answers the chunk that has ended and reads commands up to another.
func (b *chunks) following() error {
	b.c.answer(250, "2.0.0", "chunk taken")
	for b.left == 0 && !b.last {
		text, err := b.c.readLine()
		if b.c.over() {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			b.c.answer(500, "5.5.2", "lines are printable characters and end in CRLF")
			continue
		}
		if err := b.command(text); err != nil {
			return err
		}
	}
	return nil
}

// command handles a command between two chunks. Chunks are bounded by the
// message's size, all else is counted.
func (b *chunks) command(text string) error {
	verb, arg, _ := strings.Cut(text, " ")
	verb = strings.ToUpper(verb)
	if verb == "BDAT" {
		return b.another(strings.TrimSpace(arg))
	}
	if b.c.busy() {
		b.c.bye("4.7.0", "too many commands")
		return io.ErrUnexpectedEOF
	}
	switch verb {
	case "NOOP":
		b.c.answer(250, "2.0.0", "ok")
	case "RSET":
		b.end = line(250, "2.0.0", "reset")
		return errReset
	case "QUIT":
		b.end, b.quit = line(221, "2.0.0", "bye"), true
		return errReset
	default:
		b.c.answer(503, "5.5.1", "a message is under way")
	}
	return nil
}

// another begins the next chunk. An empty one is answered at once.
func (b *chunks) another(arg string) error {
	size, last, ok := b.c.parseBdat(arg)
	if !ok {
		return io.ErrUnexpectedEOF
	}
	if b.left, b.last = size, last; size > 0 || last {
		return nil
	}
	if b.c.busy() {
		b.c.bye("4.7.0", "too many commands")
		return io.ErrUnexpectedEOF
	}
	b.c.answer(250, "2.0.0", "chunk taken")
	return nil
}

// outcome replaces go-smtp's reply to the message when it was not a chunk that
// ended it.
func (b *chunks) outcome(r []byte) []byte {
	if b.end == nil {
		return b.c.forOne(r)
	}
	if b.told { // a reply for another recipient
		return nil
	}
	b.told = true
	if b.quit {
		b.c.out = append(b.c.out, b.end...)
		b.c.end("quit")
		return nil
	}
	return b.end
}
