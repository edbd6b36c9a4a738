// Package imap is a client of IMAP (RFC 3501) that brings the mail of an account on
// another server. It reads only: folders are opened by EXAMINE, messages fetched by
// BODY.PEEK[].
//
// The server is a stranger: its lines, lists and literals have limits, and what it
// says does not lead anywhere but into names that were checked.
package imap

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"posthorn/posthorn/internal/moving"
)

// Account is where the mail is, and who fetches it.
type Account struct {
	Host, Port string
	User       string
	As         string // whose mail it is, where User is one who may read it (RFC 4616); "": his own
	Password   string
	TLS        *tls.Config
	Immediate  bool // TLS from the first octet (RFC 8314), else by STARTTLS
	Clear      bool // without TLS; Immediate is false
}

// Name is what the account is known by.
func (a Account) Name() string {
	user := a.User
	if a.As != "" {
		user = a.As
	}
	return fmt.Sprintf("imap://%s@%s", user, net.JoinHostPort(a.Host, a.Port))
}

const dialTimeout = 30 * time.Second

// login opens a connection and logs in. Errors are moving.ErrAway where another try
// may go better.
func (a Account) login() (c *conn, caps []string, err error) {
	nc, err := net.DialTimeout("tcp", net.JoinHostPort(a.Host, a.Port), dialTimeout)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", moving.ErrAway, err)
	}
	c = newConn(nc)
	if a.Immediate {
		err = a.secure(c)
	}
	if err == nil {
		caps, err = a.enter(c)
	}
	if err != nil {
		c.Close()
		return nil, nil, fmt.Errorf("logging in to %s: %w", a.Host, err)
	}
	return c, caps, nil
}

// enter takes the greeting, starts TLS and logs in.
func (a Account) enter(c *conn) (caps []string, err error) {
	greeting, err := c.response(false)
	if err != nil {
		return nil, err
	}
	p := &parser{greeting}
	if !p.take('*') || !p.take(' ') {
		return nil, errSyntax
	}
	known := false
	switch word := strings.ToUpper(p.atom()); {
	case word == "PREAUTH" && (a.Immediate || a.Clear):
		known = true // under STARTTLS somebody in between may say so
	case word != "OK":
		return nil, fmt.Errorf("the server says: %s", greeting)
	}
	if !a.Immediate && !a.Clear {
		if err := a.startTLS(c); err != nil {
			return nil, err
		}
	}
	if caps, err = capabilities(c); err != nil || known {
		return caps, err
	}
	if err := a.authenticate(c, caps); err != nil {
		return nil, err
	}
	return capabilities(c)
}

// startTLS puts TLS under the connection.
func (a Account) startTLS(c *conn) error {
	if err := c.do(ignore, "STARTTLS"); err != nil {
		return fmt.Errorf("STARTTLS: %w", err)
	}
	if c.r.Buffered() > 0 { // of somebody in between (RFC 3501 6.2.1)
		return errors.New("the server said more before TLS than it should")
	}
	return a.secure(c)
}

// secure puts TLS under the connection, and looks at the certificate.
func (a Account) secure(c *conn) error {
	over := tls.Client(c.Conn, a.TLS)
	c.SetDeadline(time.Now().Add(dialTimeout))
	if err := over.Handshake(); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.SetDeadline(time.Time{})
	c.Conn = over
	c.r.Reset(deadlined{over})
	return nil
}

// capabilities asks what the server can.
func capabilities(c *conn) (caps []string, err error) {
	err = c.do(func(p *parser) error {
		if strings.EqualFold(p.atom(), "CAPABILITY") {
			caps = strings.Fields(strings.ToUpper(string(p.rest)))
		}
		return nil
	}, "CAPABILITY")
	return caps, err
}

func (a Account) authenticate(c *conn, caps []string) error {
	if !slices.Contains(caps, "AUTH=PLAIN") {
		if a.As != "" {
			return errors.New("the server has no AUTH=PLAIN, by which one may log in for another")
		}
		return c.do(ignore, "LOGIN", a.User, a.Password)
	}
	secret := base64.StdEncoding.EncodeToString([]byte(a.As + "\x00" + a.User + "\x00" + a.Password))
	tag := c.tag()
	if err := c.send(tag + " AUTHENTICATE PLAIN\r\n"); err != nil {
		return err
	}
	if err := c.goAhead(tag, ignore); err != nil {
		return err
	}
	if err := c.send(secret + "\r\n"); err != nil {
		return err
	}
	return c.wait(tag, ignore)
}

// prefix returns what the names of one's own folders begin with (RFC 2342), and the
// prefixes of others'.
func prefix(c *conn, caps []string) (own string, others []string, err error) {
	if !slices.Contains(caps, "NAMESPACE") {
		return "", nil, nil
	}
	err = c.do(func(p *parser) error {
		if !strings.EqualFold(p.atom(), "NAMESPACE") {
			return nil
		}
		for class := range 3 {
			p.take(' ')
			names, err := namespace(p)
			if err != nil {
				return err
			}
			if class > 0 {
				others = append(others, names...)
			} else if len(names) > 0 {
				own = names[0]
			}
		}
		return nil
	}, "NAMESPACE")
	return own, slices.DeleteFunc(others, func(s string) bool { return s == "" || s == own }), err
}

// namespace takes the prefixes of one class.
func namespace(p *parser) (names []string, err error) {
	if p.next() != '(' {
		return nil, p.skip(0)
	}
	err = p.list(func() error {
		first := true
		return p.list(func() error {
			if !first {
				return p.skip(0)
			}
			first = false
			name, _, err := p.str()
			names = append(names, name)
			return err
		})
	})
	return names, err
}

// code returns the value of a response code such as [UIDNEXT 5] in `OK [UIDNEXT 5]`.
func code(p *parser, name string) (string, bool) {
	rest := bytes.TrimPrefix(p.rest, []byte("OK ["))
	if len(rest) == len(p.rest) {
		return "", false
	}
	text, _, ok := bytes.Cut(rest, []byte("]"))
	word, value, _ := strings.Cut(string(text), " ")
	return value, ok && strings.EqualFold(word, name)
}
