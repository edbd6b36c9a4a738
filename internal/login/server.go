package login

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/park"
	"posthorn/internal/sock"
	"posthorn/internal/tlsconf"
)

// Protocol is what pop3d and imapd bring. One value serves all connections, so
// its methods are safe for concurrent use.
type Protocol interface {
	// Service is the name in requests: "pop3" or "imap". Listeners of that
	// name start in clear, those of the name with an s behind it in TLS.
	Service() string

	// Refusal returns the line, with its end, for a client that is sent away: for
	// the reason Unavailable over a limit before any greeting, or because the
	// daemon stops; for none, 0, when it was too slow or sent too long a line.
	// text has no line end.
	Refusal(r Reason, text string) string

	// Begin starts the dialogue with one client and writes the greeting.
	Begin(ctx context.Context, c *Conn) Dialogue
}

// Dialogue is one client before its login, as its Protocol sees it.
type Dialogue interface {
	// Turn reads the command that has begun to come, and answers it. over means
	// that the dialogue has ended (quit, too many failures, or Login returned
	// nil); so does an error, that of one of the Conn's methods. What was written
	// is sent then, and the connection is closed, unless Login took it.
	//
	// Between two turns a client that is silent has no goroutine: what is to
	// outlast a turn is in the Dialogue.
	Turn(ctx context.Context) (over bool, err error)
}

// Authenticator is the part of the directory that a listener asks.
type Authenticator interface {
	Login(ctx context.Context, c directory.Credentials) (directory.Login, error)
	Mechanisms(ctx context.Context, service string) ([]string, error)
	SASL(ctx context.Context, s directory.Step) (directory.Challenge, error)
}

// settings are what a reload changes.
type settings struct {
	connections int           // in total
	perClient   int           // of one client
	timeout     time.Duration // longest silence before the login
	clear       string        // plaintext-login
}

// Server accepts the clients of one protocol. It implements daemon.Service.
type Server struct {
	proto    Protocol
	log      *evlog.Log
	dir      Authenticator
	session  *sock.Client
	keys     *tlsconf.Keys // nil without certificates, as config
	config   *tls.Config
	settings atomic.Pointer[settings]
	limits   *limits
	buffers  chunks
	slack    slack
	lot      *park.Lot // where relays wait
	conns    sync.WaitGroup
	entries  []entry

	back      *net.UnixListener // where clients come back, or nil
	backPeers []int

	mu       sync.Mutex
	early    map[*Conn]struct{} // not logged in
	relays   map[*relay]struct{}
	stopping bool
}

// entry is one listening socket.
type entry struct {
	net.Listener
	service  string
	implicit bool // TLS from the first byte
}

// grace is how long relayed sessions may go on after the daemon was asked to
// stop. When the session programs stop too, they end at once.
const grace = time.Minute

// New binds the listeners that d's configuration gives to p's service, reads its
// certificates and adds their folders to d.Rights.Read. It is called before
// rights are dropped.
func New(d *daemon.Daemon, p Protocol) (*Server, error) {
	// The kernel shows who a server was when it began to listen: root, or not.
	peers, err := d.Conf.PeerUIDs("vmail", "root")
	if err != nil {
		return nil, err
	}
	dir, err := directory.Of(d.Conf)
	if err != nil {
		return nil, err
	}
	s := newServer(p, d.Log, dir, &sock.Client{
		Path: d.Conf.Socket(p.Service() + "-session"), Proto: "posthorn-session/1", Timeout: sessionTimeout, Peers: peers,
	})
	if s.lot, err = park.Open(); err != nil {
		return nil, err
	}
	s.lot.Moment = moment
	s.apply(d.Conf)
	if err := s.open(d); err != nil {
		return nil, err
	}
	return s, s.openBack(d)
}

// newServer returns a server without listeners and settings.
func newServer(p Protocol, log *evlog.Log, dir Authenticator, session *sock.Client) *Server {
	return &Server{
		proto: p, log: log, dir: dir, session: session, limits: newLimits(), slack: findSlack(),
		early: map[*Conn]struct{}{}, relays: map[*relay]struct{}{},
	}
}

// apply takes the settings of c.
func (s *Server) apply(c *conf.Config) {
	s.settings.Store(&settings{
		connections: c.Connections, perClient: c.ConnectionsPerClient,
		timeout: c.LoginTimeout, clear: c.PlaintextLogin,
	})
}

// Serve accepts until ctx is done. Then clients that are not logged in are sent
// away, and relayed sessions have a minute to end; those whose socket was passed
// on are not this process's any more.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var loops sync.WaitGroup
	failed := make(chan error, len(s.entries)+1)
	for _, e := range s.entries {
		loops.Go(func() {
			if err := s.accept(ctx, e); err != nil {
				failed <- fmt.Errorf("accept %s: %w", e.service, err)
				cancel()
			}
		})
	}
	if s.back != nil {
		loops.Go(func() {
			if err := s.serveBack(ctx); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	<-ctx.Done()
	for _, e := range s.entries {
		e.Close()
	}
	loops.Wait()
	s.dismiss()
	s.drain()
	s.lot.Close()
	s.session.Close()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// dismiss makes every read before a login return.
func (s *Server) dismiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for c := range s.early {
		c.socket.SetReadDeadline(time.Unix(1, 0))
		if c.spot != nil {
			c.spot.Wake()
		}
	}
}

// setReadDeadline bounds c's reads, which a stop has ended for good.
func (s *Server) setReadDeadline(c *Conn, d time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		d = time.Unix(1, 0)
	}
	c.socket.SetReadDeadline(d)
}

// drain waits for all connections, and ends those that take longer than the grace.
func (s *Server) drain() {
	t := time.AfterFunc(grace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for r := range s.relays {
			r.socket.shut()
		}
	})
	defer t.Stop()
	s.conns.Wait()
}

// accept takes the connections of one listener until it is closed.
func (s *Server) accept(ctx context.Context, e entry) error {
	for failing := false; ; {
		nc, err := e.Accept()
		switch {
		case err == nil:
			failing = false
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			// Out of descriptors or the like: others close theirs meanwhile.
			if !failing {
				s.log.AcceptFailed(e.service, err)
			}
			failing = true
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		s.admit(ctx, e, nc)
	}
}

// admit starts a connection's goroutine, or sends it away over the limits.
func (s *Server) admit(ctx context.Context, e entry, nc net.Conn) {
	ip := clientOf(nc)
	set := s.settings.Load()
	tcp, ok := nc.(stream)
	why := "not a connection of the kernel"
	if ok {
		why = s.limits.enter(ip, set.connections, set.perClient)
	}
	if why != "" {
		s.log.ConnectionRefused(e.service, ip.String(), why)
		if !e.implicit {
			// A new socket has room for a line: this does not wait.
			nc.SetWriteDeadline(time.Now().Add(time.Second))
			nc.Write([]byte(s.proto.Refusal(Unavailable, why+", try again later")))
		}
		nc.Close()
		return
	}
	sk, err := newSocket(tcp)
	if err != nil {
		s.limits.leave(ip)
		nc.Close()
		return
	}
	c := newConn(s, e, sk, ip)
	s.mu.Lock()
	s.early[c] = struct{}{}
	s.mu.Unlock()
	s.conns.Add(1)
	serve := func() { s.serve(ctx, c) }
	if !e.implicit || !c.expect(serve) {
		s.lot.Run(serve)
	}
}

// clientOf returns the address of a connection's other end.
func clientOf(nc net.Conn) netip.Addr {
	var ap netip.AddrPort
	switch a := nc.RemoteAddr().(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case net.Addr:
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return ap.Addr().Unmap().WithZone("")
}

// relay carries c's bytes to the session program behind ours from now on.
func (s *Server) relay(c *Conn, ours inner) error {
	r := &relay{server: s, sid: c.sid, ip: c.client, client: c.tls, socket: c.socket, session: ours}
	s.mu.Lock()
	delete(s.early, c)
	s.relays[r] = struct{}{}
	s.mu.Unlock()
	c.relayed = true
	if err := r.start(); err != nil {
		c.relayed = false
		s.mu.Lock()
		delete(s.relays, r)
		s.mu.Unlock()
		ours.Close()
		return err
	}
	return nil
}

// forget is called at the end of each connection that is not relayed.
func (s *Server) forget(c *Conn) {
	s.alight(c)
	s.mu.Lock()
	delete(s.early, c)
	s.mu.Unlock()
	if c.ridden != nil {
		s.conns.Done()
		return
	}
	s.gone(c.client)
}

// ended is called at the end of each relay.
func (s *Server) ended(r *relay) {
	s.mu.Lock()
	delete(s.relays, r)
	s.mu.Unlock()
	s.gone(r.ip)
}

// gone counts a connection off.
func (s *Server) gone(client netip.Addr) {
	s.limits.leave(client)
	s.lot.Stir()
	s.conns.Done()
}

// serve speaks with a client before its login until it is silent or the dialogue
// over.
func (s *Server) serve(ctx context.Context, c *Conn) {
	parked := false
	defer func() {
		if p := recover(); p != nil {
			s.log.Crashed(c.entry.service, fmt.Sprint(p), string(debug.Stack()))
		}
		if !parked && !c.relayed {
			c.close()
			s.forget(c)
		}
	}()
	parked, err := s.converse(ctx, c)
	if !parked && !c.given {
		s.part(ctx, c, err)
	}
}

// part says goodbye to a client that did not log in.
func (s *Server) part(ctx context.Context, c *Conn, err error) {
	var failed *handshakeError
	if errors.As(err, &failed) {
		s.log.HandshakeFailed(c.sid, c.entry.service, c.client.String(), failed.err)
		return
	}
	if reason, text := farewell(ctx, err); text != "" {
		c.WriteString(s.proto.Refusal(reason, text))
	}
	if len(c.out) > 0 {
		c.socket.SetWriteDeadline(time.Now().Add(5 * time.Second))
		c.send()
	}
}

// converse begins the dialogue, or goes on with it.
func (s *Server) converse(ctx context.Context, c *Conn) (parked bool, err error) {
	if c.dialogue == nil {
		if err := c.greet(ctx); err != nil {
			return false, err
		}
	}
	return c.speak(ctx, func() { s.serve(ctx, c) })
}

// farewell is what a client is told whose dialogue ended with err.
func farewell(ctx context.Context, err error) (Reason, string) {
	switch {
	case err == nil:
		return 0, ""
	case ctx.Err() != nil:
		return Unavailable, "server is stopping, try again later"
	case errors.Is(err, ErrLineTooLong):
		return 0, "line too long"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, "login took too long"
	}
	return 0, ""
}
