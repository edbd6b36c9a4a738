package main

import (
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

const (
	firstWait = 100 * time.Millisecond // before smtpd is asked again
	lastWait  = 5 * time.Second
	replyTime = 30 * time.Second // for the answer to a command
	dataTime  = 10 * time.Minute // for the answer to a message (RFC 5321 4.5.3.2.6)
)

// submit gives a message to smtpd and returns what it answered. As long as
// smtpd is away or says later, it is asked again.
func (p *program) submit(m mail) (reply string, err error) {
	err = p.persist(func() error {
		return p.session(func(c *client) error {
			reply, err = c.send(p, m)
			return err
		})
	})
	return reply, err
}

// persist does something again and again while what fails may pass and there is
// time.
func (p *program) persist(do func() error) error {
	ends := p.now().Add(p.patience)
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := do()
		if err == nil || exitCode(err) != exTempFail {
			return err
		}
		if p.now().Add(wait).After(ends) {
			return fmt.Errorf("tried for %v: %w", p.patience, err)
		}
		p.wait(wait)
	}
}

// session does something over a new connection.
func (p *program) session(do func(*client) error) error {
	c, err := p.dial()
	if err != nil {
		return err
	}
	defer c.conn.Close()
	return do(c)
}

// client is a connection to smtpd.
type client struct {
	conn net.Conn
	text *textproto.Conn
	ext  map[string]string // what EHLO announced
}

// dial connects and says EHLO.
func (p *program) dial() (*client, error) {
	conn, err := net.DialTimeout("unix", p.conf.Socket("submit"), replyTime)
	if err != nil {
		return nil, fmt.Errorf("the mail system does not answer: %w", err)
	}
	c := &client{conn: conn, text: textproto.NewConn(conn), ext: map[string]string{}}
	conn.SetDeadline(time.Now().Add(replyTime))
	if _, err = c.reply("greeting"); err == nil {
		err = c.hello()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) hello() error {
	text, err := c.do("EHLO localhost")
	if err != nil {
		return err
	}
	for l := range strings.Lines(text) {
		word, value, _ := strings.Cut(strings.TrimSpace(l), " ")
		c.ext[strings.ToUpper(word)] = value
	}
	return nil
}

// origin is the domain of addresses that have none.
func (c *client) origin() string { return c.ext["XORIGIN"] }

// refusal is a reply of smtpd that is no yes.
type refusal struct {
	what string
	code int
	text string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s: %d %s", r.what, r.code, strings.ReplaceAll(r.text, "\n", " "))
}

// words is a reply's text without its enhanced status code (RFC 2034).
func words(text string) string {
	status, rest, _ := strings.Cut(text, " ")
	if strings.Count(status, ".") == 2 && strings.Trim(status, "0123456789.") == "" {
		return rest
	}
	return text
}

// reply reads a reply and returns its text. One that is no success is a failure
// with an exit code.
func (c *client) reply(what string) (string, error) {
	code, text, err := c.text.ReadResponse(0)
	switch {
	case err != nil:
		return "", fmt.Errorf("the mail system broke off: %w", err)
	case code < 400:
		return text, nil
	}
	r := &refusal{what, code, text}
	return "", &failure{r.exit(), r}
}

// exit chooses the exit code for a refusal.
func (r *refusal) exit() int {
	switch {
	case strings.HasPrefix(r.what, "RCPT") && strings.HasPrefix(r.text, "4.5.3 "):
		return exUnavailable // too many: a message is sent to all or to nobody
	case r.code < 500:
		return exTempFail
	case r.code == 501, r.code == 553, r.code == 555, r.code == 554:
		return exDataErr
	case r.code == 550 && (strings.HasPrefix(r.what, "RCPT") || strings.HasPrefix(r.what, "VRFY")):
		return exNoUser
	}
	return exUnavailable
}

// do says a command and returns the reply.
func (c *client) do(format string, args ...any) (string, error) {
	line := fmt.Sprintf(format, args...)
	c.conn.SetDeadline(time.Now().Add(replyTime))
	if err := c.text.PrintfLine("%s", line); err != nil {
		return "", fmt.Errorf("the mail system broke off: %w", err)
	}
	return c.reply(line)
}

// send makes one transaction.
func (c *client) send(p *program, m mail) (string, error) {
	if _, err := c.do("MAIL FROM:<%s>%s", m.sender, c.mailParams(p, m)); err != nil {
		return "", err
	}
	notify := ""
	if _, ok := c.ext["DSN"]; ok && p.notify != "" {
		notify = " NOTIFY=" + p.notify
	}
	for _, r := range m.rcpts {
		if _, err := c.do("RCPT TO:<%s>%s", r, notify); err != nil {
			return "", err
		}
	}
	if _, err := c.do("DATA"); err != nil {
		return "", err
	}
	reply, err := c.data(m)
	if err == nil {
		c.do("QUIT") // nothing depends on it: the message is durable
	}
	return reply, err
}

// mailParams are the parameters of MAIL, as far as smtpd announced them.
func (c *client) mailParams(p *program, m mail) string {
	var b strings.Builder
	add := func(ext, param string) {
		if _, ok := c.ext[ext]; ok {
			b.WriteString(" " + param)
		}
	}
	if p.eightBit || m.letter.text.eightBit || m.letter.eightBitHeader() {
		add("8BITMIME", "BODY=8BITMIME")
	}
	if m.utf8() {
		add("SMTPUTF8", "SMTPUTF8")
	}
	if p.ret != "" {
		add("DSN", "RET="+p.ret)
	}
	if p.envid != "" {
		add("DSN", "ENVID="+p.envid)
	}
	return b.String()
}

// utf8 reports whether an address calls for SMTPUTF8 (RFC 6531). Text beyond ASCII
// in a header does not: scripts have always sent it so, and most hosts take it.
func (m mail) utf8() bool {
	if !ascii(m.sender) {
		return true
	}
	for _, r := range m.rcpts {
		if !ascii(r) {
			return true
		}
	}
	return false
}

func (l *letter) eightBitHeader() bool {
	for _, f := range l.fields {
		if !ascii(f.line) {
			return true
		}
	}
	return false
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// data sends the message and returns the reply. When the connection breaks
// before that, nobody knows whether it was taken, and it is sent again: better
// twice than never (RFC 1047).
func (c *client) data(m mail) (string, error) {
	w := c.text.DotWriter() // makes line ends of LF CRLF, and stuffs dots
	err := m.letter.writeTo(deadlined{c.conn, w}, c.origin(), m.sender, m.name)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", fmt.Errorf("the mail system broke off: %w", err)
	}
	c.conn.SetDeadline(time.Now().Add(dataTime))
	return c.reply("message")
}

// deadlined gives each write its time.
type deadlined struct {
	conn net.Conn
	w    io.Writer
}

func (d deadlined) Write(b []byte) (int, error) {
	d.conn.SetDeadline(time.Now().Add(dataTime))
	return d.w.Write(b)
}
