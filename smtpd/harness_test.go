package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/spool"
	"posthorn/internal/tlsconf"
	"posthorn/internal/verdict"
)

const patience = 20 * time.Second

// people is an authd with the local domain here.test and its user ann.
type people struct {
	mu    sync.Mutex
	asked []string
}

func (p *people) note(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, s)
}

func (p *people) Forget() { p.note("forget") }

func (p *people) Resolve(_ context.Context, a addr.Address) (directory.Resolved, error) {
	p.note("resolve " + a.String())
	if a.Domain != "here.test" {
		return directory.Resolved{Targets: []directory.Target{{Kind: directory.KindAddress, Value: a.String()}}}, nil
	}
	switch strings.ToLower(a.Local) {
	case "ann", "postmaster":
		return directory.Resolved{Local: true, Targets: []directory.Target{{Kind: directory.KindBox, Value: "ann@here.test"}}}, nil
	case "table":
		return directory.Resolved{}, fmt.Errorf("open /etc/posthorn/aliases: broken")
	}
	return directory.Resolved{}, verdict.Fail(verdict.Never, "5.1.1", "no such user", nil)
}

func (p *people) Mechanisms(context.Context, string) ([]string, error) {
	return []string{"PLAIN", "LOGIN", directory.ScramPlus}, nil
}

// SASL knows PLAIN.
func (p *people) SASL(_ context.Context, s directory.Step) (directory.Challenge, error) {
	if s.Response == nil {
		return directory.Challenge{Exchange: "1"}, nil
	}
	w := append(strings.Split(string(s.Response), "\x00"), "", "", "")
	p.note(fmt.Sprintf("login %s %s %s %s tls=%v %d", s.Service, s.Mechanism, w[1], s.Client, s.TLS, len(s.TLSExporter)))
	if w[2] != "secret" {
		return directory.Challenge{}, verdict.Fail(verdict.Never, "5.7.8", "wrong user or password", nil)
	}
	return directory.Challenge{Login: directory.Login{User: "ann@here.test"}}, nil
}

func (p *people) MaySend(_ context.Context, user string, a addr.Address) error {
	if user == "ann@here.test" && a.String() == "ann@here.test" {
		return nil
	}
	return verdict.Fail(verdict.Never, "5.7.1", "not your address", nil)
}

// mailbag is a queue that keeps what it is given as text.
type mailbag struct {
	spool.Incoming
	refuse error
	probe  func() error

	mu   sync.Mutex
	mail []letter
}

type letter struct {
	env  spool.Envelope
	text string
}

func (m *mailbag) Submit(_ context.Context, d *spool.Draft) error {
	if err := d.Finish(); err != nil {
		return err
	}
	b, err := io.ReadAll(io.NewSectionReader(d.File(), 0, 1<<30))
	if err != nil {
		return err
	}
	_, text, _ := bytes.Cut(b, []byte("\n\n"))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return m.refuse
	}
	m.mail = append(m.mail, letter{d.Envelope(), string(text)})
	return nil
}

func (m *mailbag) Probe(context.Context) error {
	if m.probe != nil {
		return m.probe()
	}
	return nil
}

// last returns the message taken last.
func (m *mailbag) last(t *testing.T) letter {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mail) == 0 {
		t.Fatal("got no mail")
	}
	return m.mail[len(m.mail)-1]
}

func (m *mailbag) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mail)
}

// buffer is a log to read from.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// rig is a running smtpd with all its services.
type rig struct {
	t      testing.TB
	s      *service
	people *people
	bag    *mailbag
	log    *buffer
	addr   map[string]string
}

// start runs smtpd with a configuration changed by change.
func start(t testing.TB, change ...func(*conf.Config)) *rig {
	t.Helper()
	c := &conf.Config{
		Hostname: "mx.here.test", Domains: []string{"here.test"}, MessageSize: 100000, MaxRecipients: 5, MaxReceived: 10,
		BareNewline: "refuse", Connections: 20, ConnectionsPerClient: 10, Timeout: patience,
	}
	for _, f := range change {
		f(c)
	}
	r := &rig{t: t, people: &people{}, log: &buffer{}, addr: map[string]string{}}
	r.bag = &mailbag{Incoming: spool.Incoming{Dir: t.TempDir(), Disk: new(durable.Disk)}}
	r.s = newService(evlog.New(r.log), r.people, r.bag)
	r.s.conf.Store(c)
	keys, err := tlsconf.Open([]string{keyFile(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		r.addr[k.name] = l.Addr().String()
		r.s.ports = append(r.s.ports, port{r.s.newGuard(k, c.Hostname, keys.Config()), []net.Listener{l}})
	}
	r.addr["submit"] = filepath.Join(t.TempDir(), "submit.sock")
	l, err := net.Listen("unix", r.addr["submit"])
	if err != nil {
		t.Fatal(err)
	}
	r.s.ports = append(r.s.ports, port{r.s.newGuard(submit, c.Hostname, nil), []net.Listener{l}})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("smtpd did not stop")
		}
	})
	return r
}

// relay makes the client of the test one of relay-from.
func relay(c *conf.Config) { c.RelayFrom = prefixes("127.0.0.0/8") }

// keyFile writes a new key with a certificate for mx.here.test.
func keyFile(t testing.TB) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.here.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "key.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// client is the other side of a dialogue.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// connect opens a connection to a service.
func (r *rig) connect(service string) *client {
	r.t.Helper()
	network := "tcp"
	if service == "submit" {
		network = "unix"
	}
	conn, err := net.Dial(network, r.addr[service])
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &client{t: r.t, conn: conn, r: bufio.NewReader(conn)}
}

// dial connects to a service, over TLS where that comes first, and says EHLO.
func (r *rig) dial(service string) *client {
	r.t.Helper()
	c := r.connect(service)
	if service == "submissions" {
		c.secure()
	}
	c.want("220 ")
	c.ehlo()
	return c
}

func (c *client) secure() {
	c.t.Helper()
	t := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	if err := t.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = t, bufio.NewReader(t)
}

func (c *client) startTLS() {
	c.t.Helper()
	c.do("STARTTLS", "220 ")
	c.secure()
	c.ehlo()
}

func (c *client) ehlo() {
	c.t.Helper()
	c.send("EHLO client.test\r\n")
	for {
		if l := c.line(); strings.HasPrefix(l, "250 ") {
			return
		}
	}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) line() string {
	c.t.Helper()
	l, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("got %q, %v, want a line", l, err)
	}
	return strings.TrimRight(l, "\r\n")
}

// want reads one line, which must begin with prefix.
func (c *client) want(prefix string) string {
	c.t.Helper()
	l := c.line()
	if !strings.HasPrefix(l, prefix) {
		c.t.Fatalf("got %q, want %q", l, prefix)
	}
	return l
}

// do sends a line and reads the reply.
func (c *client) do(cmd, prefix string) string {
	c.t.Helper()
	c.send(cmd + "\r\n")
	return c.want(prefix)
}

// auth logs ann in.
func (c *client) auth() {
	c.t.Helper()
	c.do("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00ann\x00secret")), "235 ")
}

// mail sends a message and returns the reply to it.
func (c *client) mail(from, to, text, reply string) string {
	c.t.Helper()
	c.do("MAIL FROM:<"+from+">", "250 ")
	c.do("RCPT TO:<"+to+">", "250 ")
	c.do("DATA", "354 ")
	c.send(text + ".\r\n")
	return c.want(reply)
}
