package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// imap is one session; it is for one goroutine.
type imap struct {
	net.Conn
	r      *bufio.Reader
	exists int    // of the selected mailbox
	state  state  // of the same
	known  state  // that since noted
	lines  int    // untagged answers to the last command
	last   string // of them
}

// state is what a client that comes back says of a mailbox (RFC 7162 3.2.5).
type state struct{ uidValidity, modSeq uint64 }

// note takes in what an untagged answer says of the mailbox.
func (s *state) note(line string) {
	for _, known := range []struct {
		code string
		to   *uint64
	}{{"* OK [UIDVALIDITY ", &s.uidValidity}, {"* OK [HIGHESTMODSEQ ", &s.modSeq}} {
		if rest, ok := strings.CutPrefix(line, known.code); ok {
			number, _, _ := strings.Cut(rest, "]")
			*known.to, _ = strconv.ParseUint(number, 10, 64)
		}
	}
}

// dialIMAP returns a session of user, logged in; over TLS where secure.
func dialIMAP(user string, secure bool) (*imap, error) {
	addr := imapAddr
	if secure {
		addr = imapsTLS
	}
	conn, err := net.DialTimeout("tcp", addr, dialTime)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(sessionTime))
	if secure {
		conn = tls.Client(conn, anyCertificate())
	}
	c := &imap{Conn: conn, r: bufio.NewReaderSize(conn, 16<<10)}
	if _, err = c.line(); err == nil {
		err = c.do("LOGIN %s secret", user)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// do sends a command and reads until it is answered.
func (c *imap) do(format string, args ...any) error {
	if _, err := fmt.Fprintf(c, "a "+format+"\r\n", args...); err != nil {
		return err
	}
	return c.answer()
}

func (c *imap) answer() error {
	for c.lines = 0; ; c.lines++ {
		line, err := c.line()
		if err != nil {
			return err
		}
		if status, ok := strings.CutPrefix(line, "a "); ok {
			if !strings.HasPrefix(status, "OK") {
				return fmt.Errorf("got %q", line)
			}
			return nil
		}
		if n, ok := strings.CutSuffix(line, " EXISTS"); ok {
			c.exists, _ = strconv.Atoi(strings.TrimPrefix(n, "* "))
		}
		c.state.note(line)
		c.last = line
	}
}

// line reads an answer up to its end, through all literals, which it drops.
func (c *imap) line() (string, error) {
	var all strings.Builder
	for {
		part, err := c.r.ReadString('\n')
		if err != nil {
			return "", err
		}
		part = strings.TrimRight(part, "\r\n")
		all.WriteString(part)
		n, ok := literal(part)
		if !ok {
			return all.String(), nil
		}
		if _, err := io.CopyN(io.Discard, c.r, n); err != nil {
			return "", err
		}
	}
}

// literal returns the size of the literal that a line ends with.
func literal(line string) (int64, bool) {
	i := strings.LastIndexByte(line, '{')
	if i < 0 || !strings.HasSuffix(line, "}") {
		return 0, false
	}
	n, err := strconv.ParseInt(line[i+1:len(line)-1], 10, 64)
	return n, err == nil && n >= 0
}

// append puts text into a mailbox.
func (c *imap) append(mailbox string, text []byte) error {
	if _, err := fmt.Fprintf(c, "a APPEND %s {%d}\r\n", mailbox, len(text)); err != nil {
		return err
	}
	line, err := c.line()
	if err != nil || !strings.HasPrefix(line, "+") {
		return fmt.Errorf("got %q, %w", line, err)
	}
	if _, err := c.Write(append(text[:len(text):len(text)], "\r\n"...)); err != nil {
		return err
	}
	return c.answer()
}

// idle begins to wait for news.
func (c *imap) idle() error {
	if _, err := fmt.Fprint(c, "a IDLE\r\n"); err != nil {
		return err
	}
	line, err := c.line()
	for err == nil && !strings.HasPrefix(line, "+") {
		line, err = c.line()
	}
	return err
}

// fetch reads items of messages 1 to n.
func (c *imap) fetch(n int, items string) error {
	if err := c.do("FETCH 1:%d (%s)", n, items); err != nil {
		return err
	}
	if c.lines < n {
		return fmt.Errorf("%d answers for %d messages", c.lines, n)
	}
	return nil
}
