package login

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

const limit = 20 * time.Second // for what a test waits for

// words is a small protocol: STLS, LOGIN user password tag, COUNT n (reads n
// bytes), BUG, QUIT; anything else is echoed.
type words struct{}

func (words) Service() string            { return "pop3" }
func (words) Refusal(text string) string { return "BYE " + text + "\r\n" }

func (words) Converse(ctx context.Context, c *Conn) error {
	c.WriteString("HELLO\r\n")
	for {
		line, err := c.ReadLine()
		if err != nil {
			return err
		}
		over, err := words{}.command(ctx, c, strings.Split(line, " "))
		if over || err != nil {
			return err
		}
	}
}

func (words) command(ctx context.Context, c *Conn, w []string) (bool, error) {
	var n int
	switch w[0] {
	case "STLS":
		if !c.CanStartTLS() {
			c.WriteString("NO\r\n")
			return false, nil
		}
		c.WriteString("BEGIN\r\n")
		return false, c.StartTLS(ctx)
	case "LOGIN":
		err := c.Login(ctx, w[1], w[2], w[3])
		var f *Failure
		if !errors.As(err, &f) {
			return true, err
		}
		c.Printf("FAIL %d %s\r\n", f.Reason, f.Text)
		return f.Last, nil
	case "COUNT":
		fmt.Sscan(w[1], &n)
		p := make([]byte, n)
		if err := c.ReadFull(p); err != nil {
			return false, err
		}
		c.Printf("GOT %q\r\n", p)
	case "BUG":
		panic("a bug")
	case "QUIT":
		c.WriteString("BYE\r\n")
		return true, nil
	default:
		c.WriteString("ECHO " + strings.Join(w, " ") + "\r\n")
	}
	return false, nil
}

// people knows ann with the password pw.
type people struct{}

func (people) Login(ctx context.Context, c directory.Credentials) (directory.Login, error) {
	switch {
	case c.User == "slow":
		<-ctx.Done()
		return directory.Login{}, verdict.Fail(verdict.Never, "5.7.8", "no", nil)
	case c.User == "down":
		return directory.Login{}, errors.New("connection refused")
	case c.User == "locked":
		return directory.Login{}, verdict.Fail(verdict.Never, "5.7.13", "account is disabled", nil)
	case c.User != "ann" || c.Password != "pw":
		return directory.Login{}, verdict.Fail(verdict.Never, "5.7.8", "no", nil)
	}
	return directory.Login{User: "ann", Ticket: "ticket-1"}, nil
}

// handed is what the session program got.
type handed struct {
	req  attr.List
	conn net.Conn
}

// instance is a running server with a fake session program.
type instance struct {
	*Server
	addr, tlsAddr string
	sessions      chan handed               // accepted hand-overs
	answer        atomic.Pointer[attr.List] // of the session program
	stop          func()                    // ends the server and waits
	log           *strings.Builder
	roots         *x509.CertPool
}

func start(t *testing.T, change func(*Server)) *instance {
	t.Helper()
	in := &instance{sessions: make(chan handed, 10), log: &strings.Builder{}}
	in.say(sock.Reply(verdict.Of(nil)))
	path := filepath.Join(t.TempDir(), "s.sock")
	in.Server = newServer(words{}, evlog.New(in.log), people{}, &sock.Client{Path: path, Proto: "posthorn-session/1"})
	in.settings.Store(&settings{connections: 20, perClient: 20, timeout: limit, clear: "loopback"})
	in.config, in.roots = testKeys(t)
	if change != nil {
		change(in.Server)
	}
	in.addr, in.tlsAddr = in.listen(t, false), in.listen(t, true)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := in.Serve(ctx); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	in.serveSessions(t, path)
	in.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(in.stop)
	return in
}

// say sets the session program's answer.
func (in *instance) say(l attr.List) { in.answer.Store(&l) }

func (in *instance) listen(t *testing.T, implicit bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in.entries = append(in.entries, entry{Listener: l, service: "pop3", implicit: implicit})
	return l.Addr().String()
}

// serveSessions plays the session program until the test ends.
func (in *instance) serveSessions(t *testing.T, path string) {
	l, err := sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	s := &sock.Server{Name: "session", Proto: "posthorn-session/1", Log: evlog.New(io.Discard)}
	s.Handle = func(_ context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
		defer f.Close()
		reply := *in.answer.Load()
		if v, _ := sock.Verdict(reply); v.Kind == verdict.Done {
			conn, err := net.FileConn(f)
			if err != nil {
				t.Error(err)
			}
			in.sessions <- handed{req, conn}
		}
		return reply, nil
	}
	wg.Go(func() { s.Serve(ctx, l) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// testKeys makes a certificate for localhost.
func testKeys(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// client is one end of a dialogue.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, conn)
}

func newClient(t *testing.T, conn net.Conn) *client {
	conn.SetDeadline(time.Now().Add(limit))
	t.Cleanup(func() { conn.Close() })
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatal(err)
	}
}

// want reads lines and holds them against the given ones.
func (c *client) want(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		got, err := c.r.ReadString('\n')
		if got != want+"\r\n" {
			c.t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

// wantEnd reads the end of the connection.
func (c *client) wantEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("got %q, %v, want the end", rest, err)
	}
}

// startTLS makes c an encrypted client.
func (c *client) startTLS(roots *x509.CertPool) {
	c.t.Helper()
	tc := tls.Client(c.conn, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err := tc.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = tc, bufio.NewReader(tc)
}

// session waits for a hand-over.
func (in *instance) session(t *testing.T) (attr.List, *client) {
	t.Helper()
	select {
	case h := <-in.sessions:
		return h.req, newClient(t, h.conn)
	case <-time.After(limit):
		t.Fatal("no hand-over")
		return nil, nil
	}
}

func TestDialogue(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	c.want("HELLO")
	c.send("one\r\ntwo\nCOUNT 5\r\na\r\nb\n")
	c.want("ECHO one", "ECHO two", `GOT "a\r\nb\n"`)
	c.send("QUIT\r\n")
	c.want("BYE")
	c.wantEnd()
}

func TestPlainConnectionIsPassed(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	c.send("LOGIN ann pw a1\r\nSTAT\r\nQU")
	req, s := in.session(t)
	pending, _ := base64.StdEncoding.DecodeString(req.Get("pending"))
	if got := string(pending); got != "STAT\r\nQU" {
		t.Errorf("pending: got %q", got)
	}
	for name, want := range map[string]string{
		"ticket": "ticket-1", "service": "pop3", "client": "127.0.0.1", "tls": "no", "tag": "a1", "request": "session",
	} {
		if got := req.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := s.conn.RemoteAddr().String(); got != c.conn.LocalAddr().String() {
		t.Errorf("the session has the connection of %s, want the client's own", got)
	}
	s.send("OK\r\n")
	c.want("HELLO", "OK")
	c.send("IT\r\n")
	s.want("IT")
	in.stop() // what was passed on does not end with this process
	c.send("NOOP\r\n")
	s.want("NOOP")
	s.conn.Close()
	c.wantEnd()
}

func TestRelay(t *testing.T) {
	for _, tc := range []struct {
		name  string
		login func(*instance) *client
	}{
		{"implicit TLS", func(in *instance) *client {
			c := dial(t, in.tlsAddr)
			c.startTLS(in.roots)
			c.want("HELLO")
			return c
		}},
		{"STARTTLS", func(in *instance) *client {
			c := dial(t, in.addr)
			c.send("STLS\r\n")
			c.want("HELLO", "BEGIN")
			c.startTLS(in.roots)
			return c
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := start(t, nil)
			c := tc.login(in)
			c.send("LOGIN ann pw a1\r\n")
			req, s := in.session(t)
			if got := req.Get("tls"); got != "yes" {
				t.Errorf("tls: got %q, want yes", got)
			}
			s.send("OK\r\n")
			c.want("OK")
			c.send("one\r\n")
			s.want("one")
			big := strings.Repeat("x", 1<<20)
			go io.WriteString(s.conn, big+"\r\n")
			c.want(big)
			go io.WriteString(c.conn, big+"\r\n")
			s.want(big)
			// Half a close goes through, the other half goes on.
			c.conn.(*tls.Conn).CloseWrite()
			s.wantEnd()
			s.send("last words\r\n")
			s.conn.Close()
			c.want("last words")
			c.wantEnd()
		})
	}
}

func TestRelayEndsWithItsClient(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.tlsAddr)
	c.startTLS(in.roots)
	c.send("LOGIN ann pw a1\r\n")
	_, s := in.session(t)
	c.conn.(*tls.Conn).NetConn().Close()
	s.wantEnd()
	s.conn.Close()
	in.stop() // waits for the relay
}

func TestInjectionBeforeTLSIsDiscarded(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	// One packet: the words behind STLS are in the server's buffer by then.
	c.send("STLS\r\nLOGIN ann pw evil\r\nECHO\r\n")
	c.want("HELLO", "BEGIN")
	c.startTLS(in.roots)
	c.send("mine\r\n")
	c.want("ECHO mine")
	if len(in.sessions) > 0 {
		t.Error("a login sent in clear before TLS was obeyed")
	}
}

func TestPlaintextLogin(t *testing.T) {
	for _, tc := range []struct {
		clear, client string
		tls, want     bool
	}{
		{"loopback", "127.0.0.1", false, true},
		{"loopback", "127.9.9.9", false, true},
		{"loopback", "::1", false, true},
		{"loopback", "192.0.2.1", false, false},
		{"loopback", "2001:db8::1", false, false},
		{"loopback", "192.0.2.1", true, true},
		{"no", "127.0.0.1", false, false},
		{"no", "127.0.0.1", true, true},
		{"yes", "192.0.2.1", false, true},
	} {
		s := newServer(words{}, nil, people{}, nil)
		s.settings.Store(&settings{clear: tc.clear})
		c := &Conn{server: s, client: netip.MustParseAddr(tc.client)}
		if tc.tls {
			c.tls = &tls.Conn{}
		}
		if got := c.Secure(); got != tc.want {
			t.Errorf("%+v: got %v, want %v", tc, got, tc.want)
		}
		if tc.want {
			continue
		}
		var f *Failure
		if err := c.Login(t.Context(), "ann", "pw", ""); !errors.As(err, &f) || f.Reason != Insecure {
			t.Errorf("%+v: Login: got %v, want Insecure", tc, err)
		}
	}
}

func TestFailures(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	c.want("HELLO")
	c.send("LOGIN down x a\r\nLOGIN locked x a\r\n")
	c.want(fmt.Sprintf("FAIL %d login is not possible right now, try again later", Unavailable),
		fmt.Sprintf("FAIL %d account is disabled", Refused))
	for range maxFailures {
		c.send("LOGIN ann wrong a\r\n")
		c.want(fmt.Sprintf("FAIL %d wrong user name or password", Credentials))
	}
	c.wantEnd()
}

func TestFailureDelayHoldsNobodyElse(t *testing.T) {
	in := start(t, nil)
	slow := dial(t, in.addr)
	slow.send("LOGIN slow wrong a\r\n") // held back for as long as the test runs
	slow.want("HELLO")
	other := dial(t, in.addr)
	other.send("hi\r\n")
	other.want("HELLO", "ECHO hi")
	in.stop() // and a stop does not wait for it
	slow.want(fmt.Sprintf("FAIL %d wrong user name or password", Credentials), "BYE server is stopping, try again later")
}

func TestWhatNoUserHasIsNotAskedFor(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	c.want("HELLO")
	for _, w := range []string{"down\x00", "down\rx", strings.Repeat("x", 1025)} {
		c.send("LOGIN " + w + " pw a\r\n") // down would be another answer
		c.want(fmt.Sprintf("FAIL %d wrong user name or password", Credentials))
	}
}

func TestSessionProgramRefuses(t *testing.T) {
	in := start(t, nil)
	in.say(sock.Reply(verdict.New(verdict.Later, "4.2.0", "busy")))
	c := dial(t, in.addr)
	c.want("HELLO")
	c.send("LOGIN ann pw a\r\n")
	c.want(fmt.Sprintf("FAIL %d busy", Unavailable))
	in.say(append(sock.Reply(verdict.New(verdict.Later, "4.2.0", "busy")), attr.Attr{Name: "reason", Value: "in-use"}))
	c.send("LOGIN ann pw a\r\n")
	c.want(fmt.Sprintf("FAIL %d busy", InUse))
	in.say(sock.Reply(verdict.New(verdict.Never, "5.2.1", "closed")))
	c.send("LOGIN ann pw a\r\n")
	c.want(fmt.Sprintf("FAIL %d closed", Refused))
	in.say(attr.List{{Name: "garbage", Value: "x"}})
	c.send("LOGIN ann pw a\r\n")
	c.want(fmt.Sprintf("FAIL %d mailbox is not available right now, try again later", Unavailable))
	c.send("still\r\n")
	c.want("ECHO still")
}

func TestSessionProgramIsDown(t *testing.T) {
	for _, secure := range []bool{false, true} {
		in := start(t, func(s *Server) { s.session.Path += ".gone" })
		c := dial(t, in.addr)
		c.want("HELLO")
		if secure {
			c.send("STLS\r\n")
			c.want("BEGIN")
			c.startTLS(in.roots)
		}
		c.send("LOGIN ann pw a\r\nstill\r\n")
		c.want(fmt.Sprintf("FAIL %d mailbox is not available right now, try again later", Unavailable), "ECHO still")
	}
}

func TestLimits(t *testing.T) {
	in := start(t, func(s *Server) {
		set := *s.settings.Load()
		set.perClient = 2
		s.settings.Store(&set)
	})
	a, b := dial(t, in.addr), dial(t, in.addr)
	a.want("HELLO")
	b.want("HELLO")
	c := dial(t, in.addr)
	c.want("BYE too many connections, try again later")
	c.wantEnd()
	d := dial(t, in.tlsAddr) // no words before TLS
	d.wantEnd()
	a.send("QUIT\r\n")
	a.want("BYE")
	a.wantEnd()
	in.waitFor(t, 1)
	dial(t, in.addr).want("HELLO")
}

// waitFor waits until n connections are counted.
func (in *instance) waitFor(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		in.limits.mu.Lock()
		got := in.limits.total
		in.limits.mu.Unlock()
		if got == n {
			return
		}
	}
	t.Fatalf("connections did not become %d", n)
}

func TestClientKey(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		if got := clientKey(netip.MustParseAddr(tc.a)) == clientKey(netip.MustParseAddr(tc.b)); got != tc.same {
			t.Errorf("%s and %s: got %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
}

func TestHostileInput(t *testing.T) {
	for _, tc := range []struct {
		name, send string
		want       []string
	}{
		{"a line without end", strings.Repeat("x", 3*bufferSize), []string{"BYE line too long"}},
		{"the longest line", strings.Repeat("x", bufferSize-2) + "\r\nQUIT\r\n", []string{"ECHO " + strings.Repeat("x", bufferSize-2), "BYE"}},
		{"a bug", "BUG\r\n", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := start(t, nil)
			c := dial(t, in.addr)
			c.want("HELLO")
			c.send(tc.send)
			c.want(tc.want...)
			if tc.name != "a line without end" { // there a reset may come first
				c.wantEnd()
			}
			dial(t, in.addr).want("HELLO")
		})
	}
}

func TestNoTLSWithoutHandshake(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.tlsAddr)
	c.send("USER ann\r\nPASS pw\r\n")
	if rest, _ := io.ReadAll(c.r); strings.Contains(string(rest), "HELLO") {
		t.Errorf("got %q in clear", rest)
	}
	in.stop()
	if !strings.Contains(in.log.String(), "handshake-failed sid=") {
		t.Errorf("log: got %q, want handshake-failed", in.log)
	}
}

func TestSilence(t *testing.T) {
	in := start(t, func(s *Server) {
		set := *s.settings.Load()
		set.timeout = 20 * time.Millisecond
		s.settings.Store(&set)
	})
	c := dial(t, in.addr)
	c.want("HELLO", "BYE login took too long")
	c.wantEnd()
}

func TestStopDismissesAndLetsSessionsGoOn(t *testing.T) {
	in := start(t, nil)
	idle := dial(t, in.addr)
	idle.want("HELLO")
	c := dial(t, in.tlsAddr)
	c.startTLS(in.roots)
	c.want("HELLO")
	c.send("LOGIN ann pw a1\r\n")
	_, s := in.session(t)
	s.send("OK\r\n")
	c.want("OK")
	done := make(chan struct{})
	go func() { defer close(done); in.stop() }()
	idle.want("BYE server is stopping, try again later")
	idle.wantEnd()
	c.send("going on\r\n")
	s.want("going on")
	s.conn.Close()
	c.wantEnd()
	c.conn.Close()
	<-done
}

// TestCutAtEveryByte ends the connection after each byte of a dialogue; nothing
// of it stays behind, and only the whole login command is one.
func TestCutAtEveryByte(t *testing.T) {
	const whole = "hi\r\nCOUNT 3\r\nabcLOGIN ann pw a1\r\nSTAT\r\n"
	login := strings.Index(whole, "STAT")
	in := start(t, nil)
	for cut := 0; cut <= len(whole); cut++ {
		c := dial(t, in.addr)
		c.send(whole[:cut])
		c.conn.(*net.TCPConn).CloseWrite()
		if cut >= login {
			_, s := in.session(t)
			s.conn.Close()
		}
		io.Copy(io.Discard, c.r)
		c.conn.Close()
	}
	in.waitFor(t, 0)
	if len(in.sessions) > 0 {
		t.Error("half a command was obeyed")
	}
}

// TestIdleRelayHoldsNoBuffer: with nothing to move, a step of the relay returns,
// and the buffer with it.
func TestIdleRelayHoldsNoBuffer(t *testing.T) {
	config, roots := testKeys(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := dial(t, l.Addr().String())
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sk, err := newSocket(nc.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	server := tls.Server(sk, config)
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	c.startTLS(roots)
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	sk.eager, ours.eager = true, true
	r := &relay{client: server, socket: sk, session: ours, buffers: &chunks{}}
	for range 2 {
		if err := r.moveUp(); err != nil {
			t.Errorf("up: %v", err)
		}
		if err := r.moveDown(); err != nil {
			t.Errorf("down: %v", err)
		}
	}
	c.send("x")
	if err := sk.wait(); err != nil {
		t.Fatal(err)
	}
	if err := r.moveUp(); err != nil {
		t.Errorf("up: %v", err)
	}
	var got [2]byte
	if n, err := theirs.Read(got[:]); n != 1 || got[0] != 'x' {
		t.Errorf("got %q, %v, want x", got[:n], err)
	}
}
