package test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// reader reads bob's box again and again, with a new connection each time.
type reader struct {
	read func(addr string) (string, error)
	addr string

	good   int
	denied error // the server called the password wrong
}

func (r *reader) loop(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := r.read(r.addr)
		switch {
		case err == nil:
			r.good++
		case errors.Is(err, errDenied):
			r.denied = err
		}
		time.Sleep(50 * time.Millisecond) // the machine is for the load too
	}
}

// check has the reader succeed, which may take a try or two while a daemon is
// being started again, and wants no right password called wrong before.
func (r *reader) check(t *testing.T) {
	t.Helper()
	if r.denied != nil {
		t.Errorf("got %v for the right password", r.denied)
	}
	var text string
	suite.Eventually(t, "reading from "+r.addr, func() bool {
		var err error
		text, err = r.read(r.addr)
		return err == nil
	})
	if !strings.Contains(text, "Message-ID: <") {
		t.Errorf("got %q, want a message", text)
	}
}

// errDenied is a login that the server says will never do (RFC 5530 3, RFC 3206).
var errDenied = errors.New("login denied")

// dialTLS connects with a deadline for the whole session.
func dialTLS(addr string) (*textproto.Conn, error) {
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return textproto.NewConn(nc), nil
}

// readIMAP returns bob's newest message with the answers around it.
func readIMAP(addr string) (string, error) {
	c, err := dialTLS(addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	var text string
	for _, command := range []string{"LOGIN " + suite.Bob + " " + instance.Password, "SELECT INBOX", "FETCH * BODY.PEEK[]", "LOGOUT"} {
		if err := c.PrintfLine("t1 %s", command); err != nil {
			return "", err
		}
		answer, err := tagged(c)
		if err != nil {
			return "", fmt.Errorf("%s: %w", command, err)
		}
		text += answer
	}
	return text, nil
}

// tagged reads to the tagged answer, which must be OK.
func tagged(c *textproto.Conn) (string, error) {
	var b strings.Builder
	for {
		line, err := c.ReadLine()
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(line, "t1 OK"):
			return b.String(), nil
		case strings.HasPrefix(line, "t1 NO [AUTHENTICATIONFAILED]"):
			return "", fmt.Errorf("%w: %s", errDenied, line)
		case strings.HasPrefix(line, "t1 "):
			return "", errors.New(line)
		}
		b.WriteString(line + "\n")
	}
}

// readPOP3 returns bob's first message.
func readPOP3(addr string) (string, error) {
	c, err := dialTLS(addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	var text string
	for _, command := range []string{"", "USER " + suite.Bob, "PASS " + instance.Password, "RETR 1", "QUIT"} {
		if command != "" { // the greeting comes by itself
			if err := c.PrintfLine("%s", command); err != nil {
				return "", err
			}
		}
		line, err := c.ReadLine()
		switch {
		case err != nil:
			return "", fmt.Errorf("%s: %w", command, err)
		case strings.HasPrefix(line, "-ERR [AUTH]"):
			return "", fmt.Errorf("%w: %s", errDenied, line)
		case !strings.HasPrefix(line, "+OK"):
			return "", fmt.Errorf("%s: %s", command, line)
		case strings.HasPrefix(command, "RETR "):
			lines, err := c.ReadDotLines()
			if err != nil {
				return "", err
			}
			text = strings.Join(lines, "\n")
		}
	}
	return text, nil
}
