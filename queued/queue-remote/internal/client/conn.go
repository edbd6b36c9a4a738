package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// Options are what a conversation needs to know.
type Options struct {
	Hostname string // what we call ourselves in EHLO
	LMTP     bool   // RFC 2033: LHLO, and a reply to the message for each recipient
	// Timeout is how long a server may take for a reply to a command, and a
	// block of the message to leave. RFC 5321 4.5.3.2 asks for 5 minutes. The
	// reply to the end of the message has twice as long.
	Timeout time.Duration
	// Grace is how long the reply to the end of the message is waited for
	// after the context has ended.
	Grace time.Duration
}

// quitTimeout bounds the farewell, which changes nothing any more.
const quitTimeout = 2 * time.Second

// Refused is the error of a step to which the server answered no.
type Refused struct {
	Step  string // such as "greeting" or "STARTTLS"
	Reply Reply
}

// Error returns the step and the reply.
func (e *Refused) Error() string { return e.Step + ": " + e.Reply.String() }

// Conn is a conversation with one server. It is not safe for concurrent use.
type Conn struct {
	raw    net.Conn // the TCP connection
	nc     net.Conn // raw, or TLS over it
	br     *bufio.Reader
	o      Options
	ext    map[string]string // EHLO keyword in upper case to its parameters
	names  []string          // what the server calls itself, lower case
	tls    *tls.ConnectionState
	broken bool // nothing more can be said

	mu      sync.Mutex
	stopped bool // the context has ended
	dotted  bool // the end of a message is out and not answered
}

// New starts a conversation over a connection, which may be TLS already. Close
// or Quit ends both.
func New(nc net.Conn, o Options) *Conn {
	c := &Conn{raw: nc, o: o}
	c.use(nc)
	if t, ok := nc.(*tls.Conn); ok {
		c.raw = t.NetConn()
		state := t.ConnectionState()
		c.tls = &state
	}
	return c
}

// use reads from nc from now on. What was read before and not used is lost,
// which is what STARTTLS asks for.
func (c *Conn) use(nc net.Conn) {
	c.nc, c.br = nc, bufio.NewReaderSize(nc, 2*maxReplyLine)
}

// Watch ties the conversation to ctx: when it ends the connection is cut, but
// for one case. While the reply to the end of a message is outstanding it has
// the grace, for a cut there would send the message twice. The returned function
// ends the watch.
func (c *Conn) Watch(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stopped = true
		if c.dotted {
			time.AfterFunc(c.o.Grace, func() { c.raw.Close() })
			return
		}
		c.raw.Close()
	})
}

// Broken says that the connection is of no more use.
func (c *Conn) Broken() bool { return c.broken }

// Ext returns the parameters of an extension of the server's last EHLO reply.
// Keywords are compared without case (RFC 5321 2.4).
func (c *Conn) Ext(keyword string) (params string, ok bool) {
	params, ok = c.ext[keyword]
	return params, ok
}

// Calls says whether the server has introduced itself by name.
func (c *Conn) Calls(name string) bool {
	for _, n := range c.names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// TLS describes the encryption for the log: "no", or a version such as
// "TLS1.3", with "+verified" when name and chain of the certificate were.
func (c *Conn) TLS() string {
	if c.tls == nil {
		return "no"
	}
	version := strings.ReplaceAll(tls.VersionName(c.tls.Version), " ", "")
	if len(c.tls.VerifiedChains) > 0 {
		return version + "+verified"
	}
	return version
}

// Encrypted says whether TLS is up.
func (c *Conn) Encrypted() bool { return c.tls != nil }

// Greet reads the greeting. A server that does not want us is *Refused.
func (c *Conn) Greet() error {
	r, err := c.reply(c.o.Timeout)
	if err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	c.introduce(r)
	if r.Code != 220 {
		c.broken = c.broken || r.Code == 421
		return &Refused{"greeting", r}
	}
	return nil
}

// Hello sends EHLO, and HELO when the server refuses that for good
// (RFC 5321 3.2); with LMTP it sends LHLO alone (RFC 2033 4.1).
func (c *Conn) Hello() error {
	c.ext = nil
	verb := "EHLO"
	if c.o.LMTP {
		verb = "LHLO"
	}
	r, err := c.ask(verb + " " + c.o.Hostname)
	if err == nil && r.class() == 5 && !c.o.LMTP {
		r, err = c.ask("HELO " + c.o.Hostname)
		r.Lines = r.Lines[:min(len(r.Lines), 1)]
	}
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	if r.class() != 2 {
		return &Refused{verb, r}
	}
	c.introduce(r)
	c.ext = extensions(r.Lines[1:])
	return nil
}

// introduce keeps the server's own name: the first word of greeting and EHLO
// reply (RFC 5321 4.2, 4.1.1.1).
func (c *Conn) introduce(r Reply) {
	if name, _, _ := strings.Cut(r.Lines[0], " "); name != "" {
		c.names = append(c.names, strings.ToLower(name))
	}
}

// extensions reads the lines of an EHLO reply behind the first. "AUTH=" is how
// servers before RFC 2554 wrote "AUTH ".
func extensions(lines []string) map[string]string {
	ext := make(map[string]string, len(lines))
	for _, line := range lines {
		keyword, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		keyword = strings.ToUpper(keyword)
		if rest, ok := strings.CutPrefix(keyword, "AUTH="); ok {
			keyword, params = "AUTH", rest+" "+params
		}
		ext[keyword] = strings.TrimSpace(ext[keyword] + " " + params)
	}
	return ext
}

// Quit says goodbye without waiting long, and closes.
func (c *Conn) Quit() {
	if !c.broken && c.send([]byte("QUIT\r\n"), quitTimeout) == nil {
		c.reply(quitTimeout)
	}
	c.Close()
}

// Close cuts the connection.
func (c *Conn) Close() {
	c.broken = true
	c.raw.Close()
}

// ask sends one command and reads its reply.
func (c *Conn) ask(command string) (Reply, error) {
	if err := c.send([]byte(command+"\r\n"), c.o.Timeout); err != nil {
		return Reply{}, err
	}
	return c.reply(c.o.Timeout)
}

// send writes b whole within the time given.
func (c *Conn) send(b []byte, timeout time.Duration) error {
	if c.broken {
		return net.ErrClosed
	}
	c.nc.SetWriteDeadline(time.Now().Add(timeout))
	if _, err := c.nc.Write(b); err != nil {
		c.broken = true
		return err
	}
	return nil
}

// reply reads one reply, which has to be there whole within the time given. A
// 421 may come at any step and means that the server leaves (RFC 5321 3.8).
func (c *Conn) reply(timeout time.Duration) (Reply, error) {
	c.nc.SetReadDeadline(time.Now().Add(timeout))
	r, err := readReply(c.br)
	if err != nil {
		c.broken = true
		return Reply{}, err
	}
	if r.Code == 421 {
		c.broken = true
	}
	return r, nil
}
