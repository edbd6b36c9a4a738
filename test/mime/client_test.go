package mime

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// atom is a word of a response; strings of IMAP are string, NIL is nil, lists
// are []any.
type atom string

// client speaks IMAP, a command at a time.
type client struct {
	name string
	r    *bufio.Reader
	w    io.Writer
}

// ask runs a command and returns its untagged responses. The error holds what
// the server says unless that is OK.
func (c *client) ask(command string) ([][]any, error) {
	if _, err := io.WriteString(c.w, "t "+command+"\r\n"); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	var all [][]any
	for {
		response, err := c.response()
		if err != nil {
			return nil, fmt.Errorf("%s: %.200s: %w", c.name, command, err)
		}
		if len(response) > 2 && response[0] == atom("t") {
			if response[1] != atom("OK") {
				err = fmt.Errorf("%s: %.200s: %v", c.name, command, response[1:])
			}
			return all, err
		}
		all = append(all, response)
	}
}

// response reads one response.
func (c *client) response() ([]any, error) {
	var out []any
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			return nil, err
		}
		switch b {
		case ' ':
			continue
		case '\n':
			return out, nil
		case '\r':
			continue
		}
		c.r.UnreadByte()
		if len(out) == 2 && status(out[1]) {
			text, err := c.r.ReadString('\n')
			return append(out, strings.TrimSpace(text)), err
		}
		v, err := c.value()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

func status(v any) bool {
	switch v {
	case atom("OK"), atom("NO"), atom("BAD"), atom("BYE"), atom("PREAUTH"):
		return true
	}
	return false
}

// value reads a string, a list or an atom.
func (c *client) value() (any, error) {
	b, err := c.r.ReadByte()
	if err != nil {
		return nil, err
	}
	switch b {
	case '(':
		return c.list()
	case '"':
		return c.quoted()
	case '~': // of a literal8
		return c.value()
	case '{':
		return c.literal()
	}
	c.r.UnreadByte()
	return c.atom()
}

func (c *client) list() (any, error) {
	list := []any{}
	for {
		b, err := c.r.ReadByte()
		switch {
		case err != nil:
			return nil, err
		case b == ')':
			return list, nil
		case b == ' ':
			continue
		case b == '\r' || b == '\n':
			return nil, fmt.Errorf("the line ends in a list, behind %.200q", list)
		}
		c.r.UnreadByte()
		v, err := c.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (c *client) quoted() (any, error) {
	var out []byte
	for {
		b, err := c.r.ReadByte()
		if err == nil && b == '\\' {
			b, err = c.r.ReadByte()
		} else if b == '"' {
			return string(out), nil
		}
		if err != nil || b == '\r' || b == '\n' {
			return nil, fmt.Errorf("a quoted string without end: %.200q, %v", out, err)
		}
		out = append(out, b)
	}
}

func (c *client) literal() (any, error) {
	head, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(head, "}\r\n"))
	if err != nil {
		return nil, err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(c.r, body)
	return string(body), err
}

// atom reads an atom; what stands in [] belongs to it, as in BODY[HEADER.FIELDS (A)].
func (c *client) atom() (any, error) {
	var out bytes.Buffer
	for section := false; ; {
		b, err := c.r.ReadByte()
		if err != nil {
			return nil, err
		}
		switch {
		case b == '[':
			section = true
		case b == ']':
			section = false
		case b == '\r' || b == '\n' || !section && (b == ' ' || b == '(' || b == ')'):
			c.r.UnreadByte()
			if out.Len() == 0 {
				return nil, fmt.Errorf("found %q, expected a value", b)
			}
			if out.String() == "NIL" {
				return nil, nil
			}
			return atom(out.String()), nil
		}
		out.WriteByte(b)
	}
}
