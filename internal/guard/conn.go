package guard

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/dsn"
	"posthorn/internal/id"
	"posthorn/internal/tlsconf"
	"posthorn/internal/verdict"
)

const (
	inSize   = 1024             // of commands read ahead; each idle connection has it
	outSize  = 4096             // replies collected before they are sent
	bodySize = 16 << 10         // of a message read at a time
	linger   = 2 * time.Second  // for the client to read a last reply
	hello    = 30 * time.Second // for a TLS handshake
)

// Conn is one client. Its exported methods are for the Session and may be called
// from its methods.
type Conn struct {
	g       *Guard
	raw     net.Conn
	net     net.Conn // raw, or TLS over it
	in      *bufio.Reader
	ahead   []byte // was read behind a message's end; before what in reads
	out     []byte
	sid     string
	peer    Peer
	limits  Limits
	ends    time.Time // of the whole session
	session Session
	ctx     context.Context
	cancel  func()
	once    sync.Once
	wire    *wire

	secure, esmtp, authed bool
	helo                  string
	mail                  bool // a transaction is open
	rcpts                 int
	path                  addr.Address                        // of the command at hand
	asked                 MailParams                          // of the last MAIL
	reports               dsn.Rcpt                            // of the RCPT at hand
	body                  pieces                              // the message while DATA or BDAT runs
	sasl                  bool                                // the next line answers a challenge
	after                 func(code int, reply []byte) []byte // sees the replies to the command at hand
	each                  []verdict.Verdict                   // LMTP: replies to the message, one for each RCPT taken

	count  counts
	last   bool   // the last reply has been given
	reason string // why the connection ended
	told   bool   // linger: the client is to read why

	mu       sync.Mutex
	idle     bool // waits for a command
	stopping bool
}

func newConn(g *Guard, raw net.Conn, peer Peer, lim Limits, life context.Context) *Conn {
	c := &Conn{g: g, raw: raw, net: raw, sid: id.New(), peer: peer, limits: lim, ends: time.Now().Add(lim.Session)}
	c.ctx, c.cancel = context.WithCancel(life)
	c.in = bufio.NewReaderSize(source{c}, inSize)
	c.session = g.o.Open(c)
	return c
}

// SID is the id of the connection.
func (c *Conn) SID() string { return c.sid }

// Client is the client's address.
func (c *Conn) Client() netip.Addr { return c.peer.Addr }

// Peer is the client, which may have a uid instead.
func (c *Conn) Peer() Peer { return c.peer }

// Local is the address at which the client reached us.
func (c *Conn) Local() netip.Addr { return addrOf(c.raw.LocalAddr()) }

// Helo is what the client called itself, a word of printable characters, and
// ESMTP whether it did so by EHLO.
func (c *Conn) Helo() string { return c.helo }

// ESMTP tells EHLO from HELO.
func (c *Conn) ESMTP() bool { return c.esmtp }

// Each says what became of the message for each recipient, in the order of the
// RCPTs that were taken (RFC 2033 4.2). It is for Session.Data with LMTP.
func (c *Conn) Each(list []verdict.Verdict) { c.each = list }

// TLS names version and cipher suite, or is "" without TLS.
func (c *Conn) TLS() string {
	if t, ok := c.net.(*tls.Conn); ok {
		return tlsconf.Version(t.ConnectionState())
	}
	return ""
}

// TLSState is what is known of TLS, nil without.
func (c *Conn) TLSState() *tls.ConnectionState {
	if t, ok := c.net.(*tls.Conn); ok {
		state := t.ConnectionState()
		return &state
	}
	return nil
}

// startImplicit does the handshake of a port that begins with TLS.
func (c *Conn) startImplicit() {
	var err error
	defer c.recovered(&err)
	if !c.handshake() {
		c.close()
		return
	}
	c.wire = &wire{c: c}
	c.g.upgraded.give(c.wire)
}

// handshake puts TLS over the connection. What the client sent before is
// forgotten (RFC 3207 4.2).
func (c *Conn) handshake() bool {
	t := tls.Server(c.raw, c.g.o.TLS)
	if !c.armHandshake() {
		return false
	}
	err := t.HandshakeContext(c.ctx)
	c.disarm()
	if err != nil {
		c.end("tls handshake failed: " + err.Error())
		return false
	}
	c.raw.SetDeadline(time.Time{})
	c.net, c.secure, c.ahead = t, true, nil
	c.in.Reset(source{c})
	return true
}

// source reads from the network for the input buffer: replies go out before it
// waits, and each read has its deadline.
type source struct{ c *Conn }

func (s source) Read(p []byte) (int, error) {
	c := s.c
	if c.over() {
		return 0, io.EOF
	}
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	c.flush()
	if !c.arm() {
		return 0, io.EOF
	}
	n, err := c.net.Read(p)
	c.disarm()
	if n == 0 && err != nil {
		c.broken(err)
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

// arm sets the deadline of a read, and refuses one that a stop forbids.
func (c *Conn) arm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = c.body == nil
	if c.stopping && c.idle {
		c.bye("4.3.2", "shutting down")
		return false
	}
	now := time.Now()
	if now.After(c.ends) {
		c.bye("4.4.2", "session took too long")
		return false
	}
	deadline := now.Add(c.limits.Timeout)
	if deadline.After(c.ends) {
		deadline = c.ends
	}
	c.raw.SetReadDeadline(deadline)
	return true
}

// armHandshake is arm for a handshake, which a stop ends like any wait.
func (c *Conn) armHandshake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		c.end("shutting down")
		return false
	}
	c.idle = true
	c.raw.SetDeadline(time.Now().Add(min(hello, c.limits.Timeout)))
	return true
}

func (c *Conn) disarm() {
	c.mu.Lock()
	c.idle = false
	c.mu.Unlock()
}

// stop ends a connection that waits for a command; another ends when it comes
// to that.
func (c *Conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	if c.idle {
		c.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

func (c *Conn) stopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopping
}

// broken notes why a read failed. The dialogue is over: whatever the client
// sends now belongs to what was broken off.
func (c *Conn) broken(err error) {
	c.mu.Lock()
	stopping := c.stopping && c.body == nil
	c.mu.Unlock()
	switch {
	case stopping:
		c.bye("4.3.2", "shutting down")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.bye("4.4.2", "timeout")
	case errors.Is(err, io.EOF):
		c.end("client left")
	default:
		c.end("connection broken")
	}
}

// over reports whether nothing more is read or answered.
func (c *Conn) over() bool { return c.last }

// end makes what was sent until now the last.
func (c *Conn) end(reason string) {
	if !c.last {
		c.last, c.reason = true, reason
	}
}

// bye answers 421 as the last reply (RFC 5321 3.8).
func (c *Conn) bye(status, why string) {
	if c.last {
		return
	}
	c.out = fmt.Appendf(c.out, "421 %s %s %s\r\n", status, c.g.o.Hostname, why)
	c.told = true
	c.end(why)
}

// flush sends the replies collected. A client that takes none for a whole
// Timeout is given up.
func (c *Conn) flush() {
	if len(c.out) == 0 {
		return
	}
	c.raw.SetWriteDeadline(time.Now().Add(c.limits.Timeout))
	_, err := c.net.Write(c.out)
	if c.out = c.out[:0]; cap(c.out) > 2*outSize {
		c.out = nil
	}
	if err != nil {
		c.end("connection broken")
		c.told = false
	}
}

// close ends the connection, once: last replies, a moment for the client to read
// them, the session's end.
func (c *Conn) close() {
	c.once.Do(func() {
		defer c.g.running.Done()
		defer func() { c.session.Close(c.reason) }()
		defer c.g.gone(c)
		defer c.cancel()
		defer c.net.Close() // over TLS with its own farewell
		c.end("closed")
		c.flush()
		if c.told {
			c.lingerOn()
		}
	})
}

// lingerOn lets the client read its last reply: closing with bytes unread would
// take that reply back.
func (c *Conn) lingerOn() {
	if t, ok := c.net.(*tls.Conn); ok {
		t.CloseWrite()
	}
	half, ok := c.raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.raw.SetReadDeadline(time.Now().Add(linger))
	io.CopyN(io.Discard, c.raw, 256<<10)
}

// recovered ends the connection that a bug has hit, and no other.
func (c *Conn) recovered(err *error) {
	what := recover()
	if what == nil {
		return
	}
	c.g.crashed(c, what)
	c.bye("4.3.0", "internal error")
	*err = io.EOF
	c.close()
}

// text makes one printable line of what a panic held or an error says.
func text(v any) string { return printable(fmt.Sprint(v)) }

// printable keeps a reply one line of ASCII (RFC 5321 4.2).
func printable(s string) string {
	const maxText = 400
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > maxText {
		s = s[:maxText]
	}
	return s
}
