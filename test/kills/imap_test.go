package kills

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// errRefused is a NO or BAD, behind which the session goes on.
var errRefused = errors.New("refused")

// errPassword is a right password that was called wrong (RFC 5530 3, RFC 3206).
var errPassword = errors.New("the password was called wrong")

// imap is one session.
type imap struct {
	conn net.Conn
	in   *bufio.Reader
}

// dialIMAP returns a session of the user. One over TLS is relayed, a plain
// connection is passed on.
func dialIMAP(addr, user string, secure bool) (*imap, error) {
	conn, err := net.DialTimeout("tcp", addr, suite.Limit)
	if err != nil {
		return nil, err
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	conn.SetDeadline(time.Now().Add(2 * suite.Limit))
	c := &imap{conn, bufio.NewReader(conn)}
	if _, err = c.line(); err == nil {
		var said []string
		said, err = c.do("LOGIN %s %s", user, instance.Password)
		if err != nil && strings.Contains(strings.Join(said, ""), "AUTHENTICATIONFAILED") {
			err = fmt.Errorf("%w: %q", errPassword, said)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// line reads one line, with the literals in it.
func (c *imap) line() (string, error) {
	var b strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
		n := literal(line)
		if n < 0 {
			return b.String(), nil
		}
		if _, err := io.CopyN(&b, c.in, n); err != nil {
			return b.String(), err
		}
	}
}

var literalEnd = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// literal returns how long the literal is that a line announces, or -1.
func literal(line string) int64 {
	m := literalEnd.FindStringSubmatch(line)
	if m == nil {
		return -1
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	return n
}

// do sends a command and returns all lines of its answer; the last one is OK
// without an error.
func (c *imap) do(format string, args ...any) ([]string, error) {
	if _, err := fmt.Fprintf(c.conn, "t "+format+"\r\n", args...); err != nil {
		return nil, err
	}
	var said []string
	for {
		line, err := c.line()
		said = append(said, line)
		switch {
		case err != nil:
			return said, err
		case strings.HasPrefix(line, "t OK"):
			return said, nil
		case strings.HasPrefix(line, "t "):
			return said, fmt.Errorf("%w: %s", errRefused, strings.TrimSpace(line))
		}
	}
}

// found is a message that a session lists.
type found struct {
	uid    uint32
	number int
	flags  map[string]bool
}

var (
	validityOf = regexp.MustCompile(`\[UIDVALIDITY (\d+)\]`)
	uidOf      = regexp.MustCompile(`\bUID (\d+)`)
	flagsOf    = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	inLiteral  = regexp.MustCompile(`X-Letter: (\d+)\r\n`)
)

// list selects a mailbox and returns its UIDVALIDITY and what is in it.
func (c *imap) list(mailbox string) (validity string, all []found, err error) {
	said, err := c.do("SELECT %s", mailbox)
	if err != nil {
		return "", nil, err
	}
	if m := validityOf.FindStringSubmatch(strings.Join(said, "")); m != nil {
		validity = m[1]
	}
	said, err = c.do("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Letter)])")
	if err != nil {
		return "", nil, err
	}
	for _, line := range said {
		if !strings.Contains(line, "FETCH (") {
			continue
		}
		f := found{number: -1, flags: map[string]bool{}}
		if m := uidOf.FindStringSubmatch(line); m != nil {
			f.uid = number(m[1])
		}
		if m := inLiteral.FindStringSubmatch(line); m != nil {
			f.number = int(number(m[1]))
		}
		if m := flagsOf.FindStringSubmatch(line); m != nil {
			for name := range strings.FieldsSeq(m[1]) {
				f.flags[name] = true
			}
		}
		delete(f.flags, `\Recent`)
		all = append(all, f)
	}
	return validity, all, nil
}

func number(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

var (
	appendUID = regexp.MustCompile(`\[APPENDUID \d+ (\d+)\]`)
	copyUID   = regexp.MustCompile(`\[COPYUID \d+ \d+ (\d+)\]`)
)

// given returns the UID that an answer announces, or 0.
func given(re *regexp.Regexp, said []string) uint32 {
	if m := re.FindStringSubmatch(strings.Join(said, "")); m != nil {
		return number(m[1])
	}
	return 0
}
