package login

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
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
	"posthorn/internal/park"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

const limit = 20 * time.Second // for what a test waits for

// words is a small protocol: STLS, LOGIN user password tag, COUNT n (reads n
// bytes), BUG, QUIT; anything else is echoed.
type words struct{}

func (words) Service() string                      { return "pop3" }
func (words) Refusal(_ Reason, text string) string { return "BYE " + text + "\r\n" }

func (words) Begin(_ context.Context, c *Conn) Dialogue {
	c.WriteString("HELLO\r\n")
	return talk{c}
}

// talk is a dialogue of words.
type talk struct{ *Conn }

func (t talk) Turn(ctx context.Context) (over bool, err error) {
	line, err := t.ReadLine()
	if err != nil {
		return false, err
	}
	return words{}.command(ctx, t.Conn, strings.Split(line, " "))
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
	case "MECHS":
		c.Printf("%v\r\n", c.Mechanisms(ctx))
	case "AUTH":
		err := c.Authenticate(ctx, "t", w[1], w[2:]...)
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
type people struct{ held chan struct{} } // told of each login that is held back

func (p people) Login(ctx context.Context, c directory.Credentials) (directory.Login, error) {
	switch {
	case c.User == "slow":
		p.held <- struct{}{}
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

func (p people) Mechanisms(context.Context, string) ([]string, error) {
	return []string{Plain, directory.ScramPlus}, nil
}

// SASL knows PLAIN, and ECHO, which ends when it hears what it said.
func (p people) SASL(ctx context.Context, s directory.Step) (directory.Challenge, error) {
	switch {
	case s.Exchange == "" && s.Mechanism == "DOWN":
		return directory.Challenge{}, errors.New("connection refused")
	case s.Exchange == "" && s.Mechanism != "ECHO":
		return directory.Challenge{}, verdict.Fail(verdict.Never, "5.5.4", "mechanism is not offered", nil)
	case s.Exchange == "" && s.Response == nil:
		return directory.Challenge{Text: []byte("say ann"), Exchange: "1"}, nil
	case string(s.Response) == "bad":
		return directory.Challenge{}, verdict.Fail(verdict.Never, "5.5.2", "malformed response", nil)
	case string(s.Response) != "ann":
		return directory.Challenge{Login: directory.Login{User: "zoe"}}, verdict.Fail(verdict.Never, "5.7.8", "no", nil)
	}
	return directory.Challenge{Login: directory.Login{User: "ann", Ticket: "ticket-1"}}, nil
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
	held          chan struct{}             // logins held back
	answer        atomic.Pointer[attr.List] // of the session program
	stop          func()                    // ends the server and waits
	log           *strings.Builder
	roots         *x509.CertPool
}

func start(t *testing.T, change func(*Server)) *instance {
	t.Helper()
	in := &instance{sessions: make(chan handed, 10), held: make(chan struct{}, 1), log: &strings.Builder{}}
	in.say(sock.Reply(verdict.Of(nil)))
	path := filepath.Join(t.TempDir(), "s.sock")
	in.Server = newServer(words{}, evlog.New(in.log), people{in.held}, &sock.Client{Path: path, Proto: "posthorn-session/1"})
	in.settings.Store(&settings{connections: 20, perClient: 20, timeout: limit, clear: "loopback"})
	var err error
	if in.lot, err = park.Open(); err != nil {
		t.Fatal(err)
	}
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
