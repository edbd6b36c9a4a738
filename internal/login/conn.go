package login

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/netip"
	"time"

	"posthorn/internal/id"
	"posthorn/internal/park"
)

// Conn is one client before its login. Only its Dialogue may use it.
type Conn struct {
	server *Server
	sid    string
	client netip.Addr
	socket *socket   // the TCP connection
	tls    *tls.Conn // over socket, or nil
	in     reader
	out    []byte // not yet sent

	entry    entry
	dialogue Dialogue   // nil before the greeting
	spot     *park.Spot // nil before it is silent for the first time; Server.mu protects it
	silent   time.Time  // until when it may be; zero while it speaks

	until   time.Time // when even a busy client must have logged in
	failed  int       // logins refused for their credentials
	given   bool      // handed over: nothing of the connection is ours
	relayed bool      // a relay closes it
	resumed bool      // it came back from a session
	below   *tls.Conn // of a relay of this process below socket, or nil
	ridden  *relay    // that relay, if the client is counted with it

	offered []string // SASL mechanisms, as Mechanisms returned them last
}

// newConn returns a Conn over s, which was accepted at e.
func newConn(server *Server, e entry, s *socket, client netip.Addr) *Conn {
	c := &Conn{server: server, entry: e, sid: id.New(), client: client, socket: s}
	c.until = time.Now().Add(patience * server.settings.Load().timeout)
	c.in.src = s
	return c
}

// patience is how many login-timeouts a client may take that is never silent
// for a whole one.
const patience = 5

// arm gives the client one login-timeout to send what comes next, however few
// bytes at a time.
func (c *Conn) arm() { c.server.setReadDeadline(c, c.limit()) }

// limit returns when a login-timeout that begins now is over.
func (c *Conn) limit() time.Time {
	d := time.Now().Add(c.server.settings.Load().timeout)
	if d.After(c.until) {
		d = c.until
	}
	return d
}

// SID identifies the connection in every daemon's log.
func (c *Conn) SID() string { return c.sid }

// Client returns the client's address.
func (c *Conn) Client() netip.Addr { return c.client }

// TLS tells whether the connection is encrypted.
func (c *Conn) TLS() bool { return c.encrypted() != nil }

// encrypted returns the TLS of the connection, nil without.
func (c *Conn) encrypted() *tls.Conn {
	if c.tls != nil {
		return c.tls
	}
	return c.below
}

// CanStartTLS tells whether StartTLS may be offered now.
func (c *Conn) CanStartTLS() bool { return !c.TLS() && c.server.tls() != nil }

// Secure tells whether Login takes a password from this client: over TLS, or in
// clear as plaintext-login says.
func (c *Conn) Secure() bool {
	switch c.server.settings.Load().clear {
	case "yes":
		return true
	case "no":
		return c.TLS()
	}
	return c.TLS() || c.client.IsLoopback()
}

// ReadLine sends what was written, unless the next line is here already (so
// pipelined answers share a packet), and returns the next line without its end.
// An error ends the connection; Turn returns it.
func (c *Conn) ReadLine() (string, error) {
	if !c.in.hasLine() {
		if err := c.Flush(); err != nil {
			return "", err
		}
		c.arm()
	}
	line, err := c.in.line()
	if err != nil {
		return "", err
	}
	return string(line), nil
}

// ReadFull sends what was written and reads exactly len(p) bytes, such as an
// IMAP literal. The caller bounds p.
func (c *Conn) ReadFull(p []byte) error {
	if err := c.Flush(); err != nil {
		return err
	}
	c.arm()
	return c.in.full(p)
}

// WriteString adds s, line ends included, to what the next read or Flush sends.
func (c *Conn) WriteString(s string) { c.out = append(c.out, s...) }

// Printf is WriteString with a format. A peer's words in it are the caller's
// risk: no value may hold a line end.
func (c *Conn) Printf(format string, args ...any) { c.out = fmt.Appendf(c.out, format, args...) }

// Flush sends what was written, which the client has one login-timeout to take.
func (c *Conn) Flush() error {
	if len(c.out) == 0 {
		return nil
	}
	c.socket.SetWriteDeadline(c.limit())
	return c.send()
}

// send is Flush with the deadline that is set.
func (c *Conn) send() error {
	_, err := c.stream().Write(c.out)
	c.out = c.out[:0]
	return err
}

// stream is where clear bytes go.
func (c *Conn) stream() io.ReadWriter {
	if c.tls != nil {
		return c.tls
	}
	return c.socket
}

// StartTLS sends what was written, the invitation to begin last, and makes the
// connection an encrypted one. What the client sent in clear behind its command
// is forgotten, whoever wrote it (RFC 3207 5, RFC 9051 11.1). An error ends
// the connection.
func (c *Conn) StartTLS(ctx context.Context) error {
	if err := c.Flush(); err != nil {
		return err
	}
	return c.handshake(ctx)
}

// handshake starts TLS on the connection.
func (c *Conn) handshake(ctx context.Context) error {
	config := c.server.tls()
	if config == nil || c.tls != nil {
		return fmt.Errorf("start TLS: not available")
	}
	c.arm()
	c.socket.SetWriteDeadline(c.limit())
	t := tls.Server(c.socket, config)
	if err := t.HandshakeContext(ctx); err != nil {
		return &handshakeError{err}
	}
	c.tls = t
	c.in.reset(t)
	return nil
}

// handshakeError marks a connection on which no more words can be exchanged.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// close ends the connection as far as it is ours.
func (c *Conn) close() {
	c.unpark()
	if c.tls != nil && !c.given {
		c.tls.Close() // sends the close alert with a deadline of its own
	}
	c.socket.Close()
}
