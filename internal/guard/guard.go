package guard

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"posthorn/internal/addr"
	"posthorn/internal/dsn"
)

// Session is what the server decides about one connection. Its methods are
// called one at a time. Errors become replies by their verdict (package
// verdict); an unclassified one is a 451 without its text.
type Session interface {
	// Mechanisms names what AUTH offers to this client, who has come over TLS.
	Mechanisms(ctx context.Context) []string
	// Authenticate begins a login by a mechanism, in capitals, which may be none
	// that was offered.
	Authenticate(mechanism string) Exchange
	// Mail begins a transaction; from may be the null sender.
	Mail(ctx context.Context, from addr.Address, p MailParams) error
	// Rcpt adds a recipient; <Postmaster> has no domain.
	Rcpt(ctx context.Context, to addr.Address, p dsn.Rcpt) error
	// Data takes the message, dot-stuffing removed and line ends as they came.
	// With a nil error the message is durable, and text goes into the 250 reply.
	// Errors of body may be returned as they are. With LMTP what became of each
	// recipient is said by Conn.Each before; an error is for all of them.
	Data(ctx context.Context, body io.Reader) (text string, err error)
	// Reset ends the transaction, if there is one.
	Reset()
	// Close is called once, when the connection has ended and why.
	Close(reason string)
}

// Exchange takes the responses of a client to a SASL mechanism (RFC 4422), nil
// where none came with the command, and returns what is asked next until it is
// done. An error ends it: of kind never it is answered 535, or with status 5.5.2
// 501 and with 5.5.4 504; later is 454.
type Exchange func(ctx context.Context, response []byte) (challenge []byte, done bool, err error)

// MailParams are the ESMTP parameters of MAIL.
type MailParams struct {
	Size     int64 // RFC 1870; 0 when not given
	EightBit bool  // BODY=8BITMIME (RFC 6152)
	UTF8     bool  // SMTPUTF8 (RFC 6531)
	dsn.Mail       // RET, ENVID (RFC 3461)
}

// Limits bound what clients may use. They are asked for at each connection.
type Limits struct {
	Connections int           // of the service at a time
	PerClient   int           // of one IPv4 address or IPv6 /64 at a time
	MessageSize int64         // bytes
	Recipients  int           // of one message
	Timeout     time.Duration // of one read or write (RFC 5321 4.5.3.2.7 wants 5 minutes)
	Session     time.Duration // of a connection as a whole
	BareLF      bool          // command lines may end in LF alone
}

// Events is told what the log should know.
type Events interface {
	// Refused: a connection was turned away, over a limit.
	Refused(p Peer, reason string)
	// AcceptFailed: a listener takes no connections for now, for want of
	// descriptors or memory. It is said once, until they are taken again.
	AcceptFailed(err error)
	// Crashed: a connection ended in a bug; stack is for the log.
	Crashed(where, what, stack string)
}

// Options say what a service is.
type Options struct {
	Hostname    string
	TLS         *tls.Config   // nil: no TLS
	Implicit    bool          // TLS from the first byte (RFC 8314)
	LMTP        bool          // RFC 2033: LHLO, and a reply to the message for each recipient
	Auth        bool          // offer AUTH, over TLS only
	RequireAuth bool          // no MAIL without it (RFC 6409 4.3)
	SMTPUTF8    bool          // offer it (RFC 6531)
	DSN         bool          // offer it (RFC 3461)
	Grace       time.Duration // how long a stop waits for messages under way
	Limits      func() Limits
	Trusted     func(netip.Addr) bool // clients that PerClient and the tight error limit spare
	Open        func(*Conn) Session
	Local       *Local // nil: clients come over TCP
	Events      Events
	Sleep       func(context.Context, time.Duration) // nil: until the time is over or the context done
}

// Guard serves one service.
type Guard struct {
	o             Options
	clear, secure *smtp.Server
	upgraded      *upgraded // what secure serves
	slots         *slots
	buffers       sync.Pool // of *[bodySize]byte, for messages under way

	mu       sync.Mutex
	conns    map[*Conn]struct{}
	stopping bool
	running  sync.WaitGroup // connections
}

// New returns a guard; Serve runs it.
func New(o Options) *Guard {
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	g := &Guard{o: o, slots: newSlots(), conns: map[*Conn]struct{}{}, upgraded: newUpgraded()}
	g.buffers.New = func() any { return new([bodySize]byte) }
	g.clear, g.secure = newEngine(g, false), newEngine(g, true)
	return g
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Serve takes connections from listeners, which it closes, until ctx is done.
// Then idle connections are told to go at once, messages under way have Grace to
// end. It returns when no connection is left.
func (g *Guard) Serve(ctx context.Context, listeners ...net.Listener) error {
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	var accepting, upgrading sync.WaitGroup
	upgrading.Go(func() { g.secure.Serve(g.upgraded) })
	for _, l := range listeners {
		accepting.Go(func() { g.clear.Serve(front{l, g, ctx, life}) })
	}
	<-ctx.Done()
	for _, l := range listeners {
		l.Close()
	}
	accepting.Wait()
	g.stop(kill)
	g.clear.Close()
	g.upgraded.Close() // secure may not know it yet
	g.secure.Close()
	upgrading.Wait()
	return nil
}

// stop ends all connections: gently, and after Grace not so.
func (g *Guard) stop(kill func()) {
	g.mu.Lock()
	g.stopping = true
	for c := range g.conns {
		c.stop()
	}
	g.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		g.running.Wait()
		close(ended)
	}()
	t := time.NewTimer(g.o.Grace)
	defer t.Stop()
	select {
	case <-ended:
		return
	case <-t.C:
	}
	kill()
	g.mu.Lock()
	for c := range g.conns {
		c.raw.Close()
	}
	g.mu.Unlock()
	<-ended
}

// take begins a connection, or turns it away. It returns the wire of one that
// does not begin with TLS.
func (g *Guard) take(life context.Context, raw net.Conn) *wire {
	lim := g.o.Limits()
	peer, reason := g.peerOf(raw)
	if reason == "" {
		total, each := g.room(peer, lim)
		reason = g.slots.enter(peer, total, each)
	}
	if reason != "" {
		g.o.Events.Refused(peer, reason)
		g.turnAway(raw, reason)
		return nil
	}
	c := newConn(g, raw, peer, lim, life)
	g.running.Add(1)
	g.mu.Lock()
	g.conns[c] = struct{}{}
	stopping := g.stopping
	g.mu.Unlock()
	if stopping {
		c.stop()
	}
	if g.o.Implicit {
		go c.startImplicit()
		return nil
	}
	c.wire = &wire{c: c}
	return c.wire
}

// room returns the limits of connections that hold for p, 0 for none. Root has
// none: other users, of whom each may have many uids, must not keep cron(8) from
// sending.
func (g *Guard) room(p Peer, lim Limits) (total, each int) {
	switch {
	case p.UID == 0:
		return 0, 0
	case g.o.Trusted(p.Addr):
		return lim.Connections, 0
	}
	return lim.Connections, lim.PerClient
}

// turnAway says 421 without waiting: a new connection has room for a line.
func (g *Guard) turnAway(raw net.Conn, reason string) {
	if !g.o.Implicit {
		raw.SetWriteDeadline(time.Now().Add(time.Second))
		io.WriteString(raw, "421 4.7.0 "+g.o.Hostname+" "+reason+", try again later\r\n")
	}
	raw.Close()
}

func (g *Guard) protocol() string {
	if g.o.LMTP {
		return "lmtp"
	}
	return "smtp"
}

// gone forgets a connection that has ended; its place is free.
func (g *Guard) gone(c *Conn) {
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
	g.slots.leave(c.peer)
}

// crashed reports a panic; it is called with what recover returned.
func (g *Guard) crashed(c *Conn, what any) {
	g.o.Events.Crashed(g.protocol()+" "+c.peer.String(), text(what), string(debug.Stack()))
}
