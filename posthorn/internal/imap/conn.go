package imap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"posthorn/posthorn/internal/moving"
)

// A response is no longer than these, but for the body of a message.
const (
	maxLine     = 256 << 10
	maxResponse = 1 << 20
)

// patience is how long the server may take for the next octets.
const patience = 3 * time.Minute

// conn is a connection to a server.
type conn struct {
	net.Conn
	r    *bufio.Reader
	tags int
}

func newConn(c net.Conn) *conn { return &conn{Conn: c, r: bufio.NewReaderSize(deadlined{c}, 32<<10)} }

// deadlined reads with patience.
type deadlined struct{ net.Conn }

func (d deadlined) Read(p []byte) (int, error) {
	d.SetReadDeadline(time.Now().Add(patience)) // what fails here, fails in Read
	return d.Conn.Read(p)
}

// lost makes err the end of the connection.
func lost(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", moving.ErrLost, err)
}

// send writes commands.
func (c *conn) send(text string) error {
	c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c.Conn, text); err != nil {
		return lost(err)
	}
	return nil
}

// tag returns a new tag.
func (c *conn) tag() string {
	c.tags++
	return "a" + strconv.Itoa(c.tags)
}

// line reads a line without its end.
func (c *conn) line() ([]byte, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, lost(errSyntax)
		case err == nil:
			return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, lost(err)
		}
	}
}

// response reads a response with its literals. With stream, it ends where the body
// of a message begins.
func (c *conn) response(stream bool) ([]byte, error) {
	var all []byte
	for {
		line, err := c.line()
		if err != nil {
			return nil, err
		}
		all = append(all, line...)
		n, ok := literalSize(line)
		if !ok || stream && bytes.HasSuffix(bytes.ToUpper(line[:bytes.LastIndexByte(line, '{')]), []byte("BODY[] ")) {
			return all, nil
		}
		if n > maxResponse || len(all)+int(n) > maxResponse {
			return nil, lost(errors.New("the server's answer is too long"))
		}
		all = append(all, "\r\n"...)
		at := len(all)
		all = append(all, make([]byte, n)...)
		if _, err := io.ReadFull(c.r, all[at:]); err != nil {
			return nil, lost(err)
		}
	}
}

// refused is a server's NO or BAD.
type refused struct{ text string }

func (r refused) Error() string { return "the server says: " + r.text }

// status takes the end of a command: `OK text`, `NO text`, `BAD text`.
func status(rest string) error {
	word, text, _ := strings.Cut(rest, " ")
	switch strings.ToUpper(word) {
	case "OK":
		return nil
	case "NO", "BAD":
		return refused{text}
	}
	return lost(errSyntax)
}

// wait reads responses until the command of that tag ends, and calls each with what
// stands behind the `* ` of the others.
func (c *conn) wait(tag string, each func(p *parser) error) error {
	for {
		b, err := c.response(false)
		if err != nil {
			return err
		}
		if rest, ok := bytes.CutPrefix(b, []byte(tag+" ")); ok {
			return status(string(rest))
		}
		if err := c.untagged(b, each); err != nil {
			return err
		}
	}
}

// untagged gives each a response that ends no command.
func (c *conn) untagged(b []byte, each func(p *parser) error) error {
	rest, ok := bytes.CutPrefix(b, []byte("* "))
	if !ok {
		return lost(errSyntax)
	}
	if len(rest) >= 3 && strings.EqualFold(string(rest[:3]), "BYE") {
		return lost(fmt.Errorf("the server says: %s", rest))
	}
	if err := each(&parser{rest}); err != nil {
		return lost(err)
	}
	return nil
}

// do sends a command and waits for its end. Arguments that cannot be quoted go as
// literals.
func (c *conn) do(each func(p *parser) error, command string, args ...string) error {
	tag := c.tag()
	text := tag + " " + command
	for _, arg := range args {
		if !strings.ContainsFunc(arg, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
			text += ` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(arg) + `"`
			continue
		}
		if err := c.send(text + " {" + strconv.Itoa(len(arg)) + "}\r\n"); err != nil {
			return err
		}
		if err := c.goAhead(tag, each); err != nil {
			return err
		}
		text = arg
	}
	if err := c.send(text + "\r\n"); err != nil {
		return err
	}
	return c.wait(tag, each)
}

// goAhead waits until the server wants to hear more.
func (c *conn) goAhead(tag string, each func(p *parser) error) error {
	for {
		b, err := c.response(false)
		if err != nil {
			return err
		}
		if len(b) > 0 && b[0] == '+' {
			return nil
		}
		if rest, ok := bytes.CutPrefix(b, []byte(tag+" ")); ok {
			return errors.Join(status(string(rest)), refused{"no literal"})
		}
		if err := c.untagged(b, each); err != nil {
			return err
		}
	}
}

// ignore is for responses that nobody asked for.
func ignore(*parser) error { return nil }
