package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Limits, so that a test that goes wrong ends.
const (
	idle       = 5 * time.Minute
	maxLine    = 4096
	maxMessage = 100 << 20
)

// session is one connection.
type session struct {
	s    *sink
	nc   net.Conn
	br   *bufio.Reader
	tls  bool
	helo string
	auth string
	mail mail
}

// mail is the transaction under way.
type mail struct {
	open       bool
	from, body string
	rcpts      []rcpt
}

// rcpt is a recipient with the parameters of its RCPT.
type rcpt struct{ to, asked string }

var errBye = errors.New("session over")

func (s *sink) serve(ctx context.Context, nc net.Conn) {
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	c := &session{s: s}
	c.use(nc)
	if s.implicit {
		c.use(tls.Server(nc, s.tls))
		c.tls = true
	}
	if s.greeting != "" {
		c.say(s.greeting)
		return
	}
	err := c.say("220 " + s.name + " ESMTP sink")
	for err == nil {
		err = c.command()
	}
}

func (c *session) use(nc net.Conn) { c.nc, c.br = nc, bufio.NewReaderSize(nc, maxLine) }

func (c *session) say(lines ...string) error {
	c.nc.SetDeadline(time.Now().Add(idle))
	_, err := io.WriteString(c.nc, strings.Join(lines, "\r\n")+"\r\n")
	return err
}

func (c *session) line() (string, error) {
	c.nc.SetDeadline(time.Now().Add(idle))
	line, err := c.br.ReadSlice('\n')
	return strings.TrimRight(string(line), "\r\n"), err
}

func (c *session) command() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO":
		return c.ehlo(rest)
	case "HELO":
		c.helo, c.mail = rest, mail{}
		return c.say("250 " + c.s.name)
	case "STARTTLS":
		return c.startTLS()
	case "AUTH":
		return c.login(rest)
	case "MAIL":
		return c.from(rest)
	case "RCPT":
		return c.rcpt(rest)
	case "DATA":
		return c.data()
	case "RSET":
		c.mail = mail{}
		return c.say("250 2.0.0 ok")
	case "NOOP":
		return c.say("250 2.0.0 ok")
	case "QUIT":
		c.say("221 2.0.0 bye")
		return errBye
	}
	return c.say("500 5.5.2 unknown command")
}

func (c *session) ehlo(name string) error {
	if c.s.noESMTP {
		return c.say("502 5.5.1 no EHLO here")
	}
	c.helo, c.mail = name, mail{}
	lines := []string{c.s.name, "ENHANCEDSTATUSCODES"}
	for _, e := range []struct {
		on   bool
		name string
	}{
		{!c.s.noPipe, "PIPELINING"},
		{!c.s.no8Bit, "8BITMIME"},
		{c.s.dsn, "DSN"},
		{c.s.utf8, "SMTPUTF8"},
		{c.s.size > 0, fmt.Sprintf("SIZE %d", c.s.size)},
		{c.s.starttls && !c.tls, "STARTTLS"},
		{c.s.options.login != "", "AUTH PLAIN"},
	} {
		if e.on {
			lines = append(lines, e.name)
		}
	}
	for i := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		lines[i] = "250" + sep + lines[i]
	}
	return c.say(lines...)
}

func (c *session) startTLS() error {
	if !c.s.starttls || c.tls {
		return c.say("502 5.5.1 no STARTTLS here")
	}
	if err := c.say("220 2.0.0 go"); err != nil {
		return err
	}
	c.use(tls.Server(c.nc, c.s.tls))
	c.tls, c.helo, c.mail = true, "", mail{}
	return nil
}

func (c *session) login(rest string) error {
	word, _ := strings.CutPrefix(rest, "PLAIN ")
	plain, err := base64.StdEncoding.DecodeString(word)
	user, password, _ := strings.Cut(c.s.options.login, ":")
	if err != nil || string(plain) != "\x00"+user+"\x00"+password {
		return c.say("535 5.7.8 no")
	}
	c.auth = user
	return c.say("235 2.7.0 welcome")
}

// path cuts "FROM:<a@b> params" into path and parameters.
func path(rest string) (inner, params string, ok bool) {
	_, rest, ok = strings.Cut(rest, ":<")
	end := strings.LastIndex(rest, ">")
	if !ok || end < 0 {
		return "", "", false
	}
	return rest[:end], strings.TrimSpace(rest[end+1:]), true
}

func (c *session) from(rest string) error {
	from, params, ok := path(rest)
	switch {
	case !ok || c.mail.open:
		return c.say("503 5.5.1 no")
	case c.s.options.login != "" && c.auth == "":
		return c.say("530 5.7.0 log in first")
	case c.s.options.mail != "":
		return c.say(c.s.options.mail)
	case !c.known(params):
		return c.say("555 5.5.4 parameter not offered")
	case !ascii(from) && !asks(params, "SMTPUTF8"):
		return c.say("553 5.6.7 no SMTPUTF8")
	}
	c.mail = mail{open: true, from: from, body: params}
	return c.say("250 2.1.0 ok")
}

func (c *session) rcpt(rest string) error {
	to, params, ok := path(rest)
	switch {
	case !ok || !c.mail.open:
		return c.say("503 5.5.1 no")
	case len(to) > 3 && (to[0] == '4' || to[0] == '5') && strings.Trim(to[:3], "0123456789") == "":
		return c.say(to[:3] + " " + to[:1] + ".1.1 as you wish")
	case c.s.count(&c.s.busy, c.s.later):
		return c.say("450 4.2.1 not yet")
	case !c.known(params):
		return c.say("555 5.5.4 parameter not offered")
	case !ascii(to+params) && !asks(c.mail.body, "SMTPUTF8"):
		return c.say("553 5.6.7 no SMTPUTF8")
	}
	c.mail.rcpts = append(c.mail.rcpts, rcpt{to, params})
	return c.say("250 2.1.5 ok")
}

// known reports whether all parameters are of extensions that are offered.
func (c *session) known(params string) bool {
	offered := map[string]bool{"SIZE": true, "BODY": !c.s.no8Bit, "AUTH": true, "SMTPUTF8": c.s.utf8,
		"RET": c.s.dsn, "ENVID": c.s.dsn, "NOTIFY": c.s.dsn, "ORCPT": c.s.dsn}
	for word := range strings.FieldsSeq(params) {
		key, _, _ := strings.Cut(word, "=")
		if !offered[key] {
			return false
		}
	}
	return true
}

func asks(params, key string) bool { return slices.Contains(strings.Fields(params), key) }

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

func (c *session) data() error {
	if len(c.mail.rcpts) == 0 {
		return c.say("554 5.5.1 no valid recipients")
	}
	if c.s.options.data != "" {
		return c.say(c.s.options.data)
	}
	if err := c.say("354 go"); err != nil {
		return err
	}
	m, err := c.message()
	if err != nil {
		return err
	}
	time.Sleep(c.s.wait)
	if c.s.count(&c.s.broken, c.s.drop) {
		return errBye
	}
	if c.s.end != "" {
		c.mail = mail{}
		return c.say(c.s.end)
	}
	file, err := c.store(m)
	c.mail = mail{}
	if err != nil {
		return c.say("451 4.3.0 " + err.Error())
	}
	return c.say("250 2.0.0 kept as " + file)
}

// message reads up to CRLF . CRLF and takes doubled dots back. A line end other
// than CRLF ends nothing.
func (c *session) message() ([]byte, error) {
	var m []byte
	start := true // of a line
	for len(m) <= maxMessage {
		c.nc.SetDeadline(time.Now().Add(idle))
		part, err := c.br.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if start && string(part) == ".\r\n" {
			return m, nil
		}
		if start {
			part = bytes.TrimPrefix(part, []byte("."))
		}
		m = append(m, part...)
		start = bytes.HasSuffix(m, []byte("\r\n"))
	}
	return nil, errors.New("message too long")
}

// store writes the two files.
func (c *session) store(m []byte) (name string, err error) {
	c.s.mu.Lock()
	c.s.stored++
	base := fmt.Sprintf("%04d", c.s.stored)
	c.s.mu.Unlock()
	var env strings.Builder
	fmt.Fprintf(&env, "helo=%s\nfrom=%s\n", c.helo, c.mail.from)
	for _, r := range c.mail.rcpts {
		fmt.Fprintf(&env, "rcpt=%s\n", r.to)
		if r.asked != "" {
			fmt.Fprintf(&env, "asked=%s\n", r.asked)
		}
	}
	fmt.Fprintf(&env, "body=%s\ntls=%t\nauth=%s\n", c.mail.body, c.tls, c.auth)
	dir := c.s.dir
	if err := os.WriteFile(filepath.Join(dir, base+".env"), []byte(env.String()), 0o666); err != nil {
		return "", err
	}
	tmp := filepath.Join(dir, base+".tmp")
	if err := os.WriteFile(tmp, m, 0o666); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, filepath.Join(dir, base+".msg")); err != nil {
		return "", err
	}
	c.s.say("message file=" + base + ".msg")
	return base + ".msg", c.s.note(base + ".msg")
}
