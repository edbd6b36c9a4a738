package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// catenated is the size of a message that comes in parts.
const catenated = -1

// maxParts bounds the parts of one message.
const maxParts = 1000

// catenation is a message that is made of parts, some of which come from the client
// and others from messages that are here (RFC 4469). Each is looked for when those in
// front of it were read, so a client is told of a bad one before it sends what is
// behind that.
type catenation struct {
	*arrivals
	parts int
	part  io.Reader // that is being read
	done  func()    // with it
	size  int64     // of those that were begun
	over  bool
}

// Read implements io.Reader.
func (c *catenation) Read(p []byte) (int, error) {
	for !c.over && c.err == nil {
		if c.part == nil {
			if err := c.begin(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := c.part.Read(p)
		if err == io.EOF {
			err = nil
			c.end()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	return 0, io.EOF
}

// begin finds the next part, or the end of the message.
func (c *catenation) begin() error {
	args := c.next.Args
	if c.parts > 0 && args.Accept(')') {
		return c.finish()
	}
	if c.parts > 0 {
		if c.err = args.Space(); c.err != nil {
			return c.err
		}
	}
	if c.parts++; c.parts > maxParts {
		c.err = no("[LIMIT] too many parts for one message")
		return c.err
	}
	switch args.Word() {
	case "TEXT":
		c.err = c.text(func(m *wire.Message) error { return m.Args.Space() })
	case "UTF8": // RFC 6855 section 4
		c.err = c.text(openUTF8)
	case "URL":
		return c.url()
	default:
		c.err = &wire.SyntaxError{Text: "unknown part of a message"}
	}
	return c.err
}

// text begins a part that the client sends.
func (c *catenation) text(open func(*wire.Message) error) error {
	m := c.next
	if err := open(m); err != nil {
		return err
	}
	if !m.Literal() || m.Args.End() != nil || m.Tail != "" && !m.Binary() {
		return &wire.SyntaxError{Text: "the text of a part is expected as literal"}
	}
	m.More = true
	c.part, c.done = c.arrivals, c.step
	return c.grow(m.Size())
}

// step goes on behind a literal.
func (c *catenation) step() {
	c.next = c.next.Next()
}

// grow counts what a part adds to the message.
func (c *catenation) grow(size int64) error {
	if size > c.limits.maxSize-c.size {
		return no("[TOOBIG] message too large") // RFC 4469 section 4.2
	}
	c.size += size
	return nil
}

// end leaves a part that was read.
func (c *catenation) end() {
	c.done()
	c.part, c.done = nil, nil
}

// finish ends the message. What follows is the next one's.
func (c *catenation) finish() error {
	c.over = true
	if c.next.Args.End() == nil && !c.next.Literal() {
		c.next = nil
	}
	if c.size == 0 {
		c.err = no("a message cannot be empty") // RFC 3502 section 6.3.11
	}
	return c.err
}

// url begins a part that is here already. An error of the store is not c.err.
func (c *catenation) url() error {
	var text string
	if text, c.err = c.urlText(); c.err != nil {
		return c.err
	}
	u, ok := query.ParseURL(text)
	if !ok {
		c.err = badURL(text)
		return c.err
	}
	a, err := c.from.section(c.Session, u)
	if errors.Is(err, errNoSource) {
		c.err = badURL(text)
		return c.err
	}
	if err != nil {
		return err
	}
	c.part, c.done = a.reader(c.from.body), c.from.shut
	c.err = c.grow(a.size())
	return c.err
}

// urlText takes a URL, which may be a literal too.
func (c *catenation) urlText() (string, error) {
	m := c.next
	if err := m.Args.Space(); err != nil {
		return "", err
	}
	if !m.Literal() || m.Args.End() != nil {
		text, err := m.Args.AString()
		if next := m.Args.Peek(); err == nil && next != ' ' && next != ')' {
			err = m.Args.Space() // what is no URL as a whole is not looked for
		}
		return text, err
	}
	if m.Binary() || m.Size() > query.MaxURL {
		return "", &wire.SyntaxError{Text: "URL too long"}
	}
	m.More = true
	text, err := io.ReadAll(c.arrivals)
	c.step()
	return string(text), err
}

// badURL is the answer to a URL that names nothing that can be read (RFC 4469 section
// 4.1). What the answer cannot have is percent-encoded.
func badURL(text string) error {
	var out strings.Builder
	for _, c := range []byte(text[:min(len(text), query.MaxURL)]) {
		if c <= ' ' || c > '~' || c == ']' || c == '\\' || c == '"' {
			fmt.Fprintf(&out, "%%%02X", c)
			continue
		}
		out.WriteByte(c)
	}
	if out.Len() == 0 {
		return &wire.SyntaxError{Text: "a URL is expected"}
	}
	return no("[BADURL " + out.String() + "] no such message or part")
}
