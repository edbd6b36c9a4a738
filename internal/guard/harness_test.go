package guard

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
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/dsn"
	"posthorn/internal/verdict"
)

const patience = 20 * time.Second

// fake is a Session that takes everything and notes it.
type fake struct {
	s *server
	c *Conn
}

func (f fake) note(format string, v ...any) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.calls = append(f.s.calls, fmt.Sprintf(format, v...))
}

func (f fake) Mechanisms(context.Context) []string { return []string{"PLAIN", "LOGIN"} }

// Authenticate knows PLAIN and LOGIN.
func (f fake) Authenticate(mechanism string) Exchange {
	user := ""
	return func(_ context.Context, response []byte) ([]byte, bool, error) {
		parts := strings.Split(string(response), "\x00")
		switch {
		case mechanism == "PLAIN" && response == nil:
			return nil, false, nil
		case mechanism == "PLAIN" && len(parts) == 3:
			return nil, true, f.login(parts[1], parts[2])
		case mechanism == "PLAIN":
			return nil, false, verdict.Fail(verdict.Never, "5.5.2", "malformed response", nil)
		case mechanism != "LOGIN":
			return nil, false, verdict.Fail(verdict.Never, "5.5.4", "mechanism is not offered", nil)
		case response == nil:
			return []byte("Username:"), false, nil
		case user == "":
			user = string(response)
			return []byte("Password:"), false, nil
		}
		return nil, true, f.login(user, string(response))
	}
}

func (f fake) login(user, password string) error {
	f.note("login %s %s", user, password)
	switch password {
	case "secret":
		return nil
	case "later":
		return errors.New("directory is down at /run/x")
	}
	return verdict.Fail(verdict.Never, "5.7.8", "authentication failed", nil)
}

func (f fake) Mail(_ context.Context, from addr.Address, p MailParams) error {
	asked := ""
	if p.Mail != (dsn.Mail{}) {
		asked = fmt.Sprintf(" %+v", p.Mail)
	}
	f.note("mail %s {Size:%d EightBit:%t UTF8:%t}%s", from, p.Size, p.EightBit, p.UTF8, asked)
	if from.Local == "panic" {
		panic("mail")
	}
	return nil
}

func (f fake) Rcpt(_ context.Context, to addr.Address, p dsn.Rcpt) error {
	asked := ""
	if p != (dsn.Rcpt{}) {
		asked = fmt.Sprintf(" %+v", p)
	}
	f.note("rcpt %s%s", to, asked)
	switch to.Local {
	case "nobody":
		return verdict.Fail(verdict.Never, "5.1.1", "no such\r\nuser", nil)
	case "broken":
		return errors.New("cannot open /etc/secret")
	}
	return nil
}

func (f fake) Data(ctx context.Context, body io.Reader) (string, error) {
	if f.s.onData != nil {
		if err := f.s.onData(ctx, body); err != nil {
			f.note("data failed")
			return "", err
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		f.note("data broken")
		return "", err
	}
	f.note("data %q", b)
	return "ID queued", nil
}

func (f fake) Reset() {}

func (f fake) Close(reason string) { f.s.closed <- reason }

// server is a running guard.
type server struct {
	t       *testing.T
	g       *Guard
	addr    string
	stop    func() // and wait
	onData  func(context.Context, io.Reader) error
	closed  chan string
	crashes chan string

	mu      sync.Mutex
	calls   []string
	refused []string
	waits   []time.Duration
}

func (s *server) Refused(_ Peer, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, reason)
}

func (s *server) AcceptFailed(error) {}

func (s *server) Crashed(where, what, stack string) {
	s.crashes <- what + "\n" + stack
}

// Calls returns what the sessions were asked until now.
func (s *server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// end waits until a connection has ended and returns why.
func (s *server) end() string {
	s.t.Helper()
	select {
	case r := <-s.closed:
		return r
	case <-time.After(patience):
		s.t.Fatal("connection did not end")
		return ""
	}
}

// crash waits for the report of a bug.
func (s *server) crash() string {
	s.t.Helper()
	select {
	case r := <-s.crashes:
		return r
	case <-time.After(patience):
		s.t.Fatal("no crash was reported")
		return ""
	}
}

type setting struct {
	o      Options
	limits Limits
	listen func(net.Listener) net.Listener
	onData func(context.Context, io.Reader) error
}

// start runs a guard on a loopback port until the test ends.
func start(t *testing.T, change ...func(*setting)) *server {
	t.Helper()
	s := &server{t: t, closed: make(chan string, 1000), crashes: make(chan string, 10)}
	set := &setting{
		limits: Limits{MessageSize: 1 << 20, Recipients: 100, Timeout: patience, Session: time.Hour},
		o: Options{Hostname: "mx.test", TLS: serverTLS(t), Auth: true, SMTPUTF8: true, DSN: true, Grace: patience,
			Trusted: func(netip.Addr) bool { return false }, Events: s},
	}
	set.o.Limits = func() Limits { return set.limits }
	set.o.Open = func(c *Conn) Session { return fake{s, c} }
	set.o.Sleep = func(_ context.Context, d time.Duration) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waits = append(s.waits, d)
	}
	for _, f := range change {
		f(set)
	}
	s.onData = set.onData
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if set.listen != nil {
		l = set.listen(l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.g = New(set.o)
	served := make(chan struct{})
	go func() {
		s.g.Serve(ctx, l)
		close(served)
	}()
	s.stop = func() {
		cancel()
		select {
		case <-served:
		case <-time.After(patience):
			t.Error("guard did not stop")
		}
	}
	t.Cleanup(s.stop)
	return s
}

var certOnce = sync.OnceValues(func() (tls.Certificate, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}, err
})

func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	cert, err := certOnce()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// client is the other side of a dialogue.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dial(t *testing.T, s *server) *client {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// secure puts TLS over the connection.
func (c *client) secure() {
	c.t.Helper()
	t := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	if err := t.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = t, bufio.NewReader(t)
}

// send sends text as it is.
func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("send %.60q: %v", text, err)
	}
}

// reply reads one line.
func (c *client) reply() string {
	c.t.Helper()
	l, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("got %q, %v, want a line", l, err)
	}
	return strings.TrimSuffix(l, "\r\n")
}

// want reads lines that match patterns; a final * stands for any rest.
func (c *client) want(patterns ...string) {
	c.t.Helper()
	for _, p := range patterns {
		got := c.reply()
		if prefix, open := strings.CutSuffix(p, "*"); got != p && !(open && strings.HasPrefix(got, prefix)) {
			c.t.Fatalf("got %q, want %q", got, p)
		}
	}
}

// wantEnd expects the connection to be closed with nothing more said.
func (c *client) wantEnd() {
	c.t.Helper()
	if rest, _ := io.ReadAll(c.r); len(rest) > 0 {
		c.t.Fatalf("got %q, want the connection closed", rest)
	}
}

// dialog plays "C: command" and "S: reply" lines.
func (c *client) dialog(script string) {
	c.t.Helper()
	for l := range strings.SplitSeq(script, "\n") {
		l = strings.TrimLeft(l, "\t ")
		if cmd, ok := strings.CutPrefix(l, "C:"); ok {
			c.send(strings.TrimPrefix(cmd, " ") + "\r\n")
		} else if want, ok := strings.CutPrefix(l, "S: "); ok {
			c.want(want)
		} else if l != "" {
			c.t.Fatalf("script line %q", l)
		}
	}
}

// ehlo reads the greeting and says EHLO; it returns the extensions.
func (c *client) ehlo() []string {
	c.t.Helper()
	c.want("220 mx.test ESMTP*")
	return c.helloAgain()
}

func (c *client) helloAgain() []string {
	c.t.Helper()
	c.send("EHLO client.test\r\n")
	c.want("250-mx.test")
	var ext []string
	for {
		l := c.reply()
		ext = append(ext, l[4:])
		if l[3] == ' ' {
			return ext
		}
	}
}

// startTLS begins TLS and a new dialogue.
func (c *client) startTLS() []string {
	c.t.Helper()
	c.send("STARTTLS\r\n")
	c.want("220 2.0.0*")
	c.secure()
	return c.helloAgain()
}

// open says EHLO, MAIL and RCPT.
func (c *client) open() {
	c.t.Helper()
	c.ehlo()
	c.transaction()
}

func (c *client) transaction() {
	c.t.Helper()
	c.dialog(`C: MAIL FROM:<a@x.test>
		S: 250 2.1.0*
		C: RCPT TO:<b@y.test>
		S: 250 2.1.5*`)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// matching returns the calls with a prefix.
func matching(calls []string, prefix string) []string {
	var out []string
	for _, c := range calls {
		if strings.HasPrefix(c, prefix) {
			out = append(out, c)
		}
	}
	return out
}
