// Package script plays SMTP servers for tests: each serves one connection after
// a script of what it sends and what it wants to read.
package script

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// limit bounds a server's life, so that a test that goes wrong ends.
const limit = 10 * time.Second

// Server is one that a test has started.
type Server struct {
	Addr     string // host:port
	listener net.Listener
	ended    chan error
	messages []string
}

// Serve starts a server on addr, such as "127.0.0.1:0" or the path of a Unix socket, that takes a connection
// and performs the script, one step a line:
//
//	S: text     sends a line
//	R: text     sends the text as it is, \r \n \0 read as in Go
//	C: text     wants exactly this line
//	M:          takes a message up to its end
//	T           does the server's side of a TLS handshake, with cert
//	F           calls the next hook
//	N           closes and takes another connection
//	X           closes and ends
//
// Commands that the client sends in one group simply stand in a row: a client
// that waits for a reply between them is never answered. The connection is
// closed after the last step.
func Serve(t testing.TB, addr string, cert tls.Certificate, script string, hooks ...func()) *Server {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), listener: l, ended: make(chan error, 1)}
	t.Cleanup(func() { l.Close() })
	go func() {
		defer l.Close()
		s.ended <- s.perform(cert, script, hooks)
	}()
	return s
}

// Wait waits for the end of the script, fails the test when the client did not
// keep to it, and returns the messages that were taken.
func (s *Server) Wait(t testing.TB) []string {
	t.Helper()
	if err := <-s.ended; err != nil {
		t.Errorf("the server's script: %v", err)
	}
	return s.messages
}

// Close ends a server that nobody may have connected to.
func (s *Server) Close() { s.listener.Close() }

// accept takes one connection.
func (s *Server) accept() (net.Conn, *bufio.Reader, error) {
	nc, err := s.listener.Accept()
	if err != nil {
		return nil, nil, err
	}
	nc.SetDeadline(time.Now().Add(limit))
	return nc, bufio.NewReader(nc), nil
}

func (s *Server) perform(cert tls.Certificate, script string, hooks []func()) error {
	nc, br, err := s.accept()
	if err != nil {
		return err
	}
	defer func() {
		if nc != nil {
			nc.Close()
		}
	}()
	for step := range strings.SplitSeq(script, "\n") {
		step = strings.TrimSpace(step)
		switch verb, text, _ := strings.Cut(step, ": "); verb {
		case "":
		case "S":
			_, err = io.WriteString(nc, text+"\r\n")
		case "R":
			_, err = io.WriteString(nc, strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\0`, "\x00").Replace(text))
		case "C":
			err = want(br, text)
		case "M:":
			var m string
			m, err = message(br)
			s.messages = append(s.messages, m)
		case "T":
			t := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}})
			t.Handshake() // Whether the client likes it is the test's to see.
			nc, br = t, bufio.NewReader(t)
		case "F":
			hooks[0]()
			hooks = hooks[1:]
		case "N":
			nc.Close()
			nc, br, err = s.accept()
		case "X":
			return nil
		default:
			err = fmt.Errorf("no such step")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	return nil
}

func want(br *bufio.Reader, text string) error {
	line, err := br.ReadString('\n')
	if err != nil {
		return err
	}
	if line != text+"\r\n" {
		return fmt.Errorf("got %q", line)
	}
	return nil
}

// message reads up to the only thing that may end a message, and returns it
// with that.
func message(br *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return b.String(), err
		}
		start := b.Len() == 0 || strings.HasSuffix(b.String(), "\r\n")
		b.WriteString(line)
		if start && line == ".\r\n" {
			return b.String(), nil
		}
	}
}

// Hello is the start of a script: greeting and EHLO, answered with these lines
// of extensions.
func Hello(client string, ext ...string) string {
	return "S: 220 mx.example ESMTP\n" + Ehlo(client, ext...)
}

// Ehlo is EHLO alone, as it comes again after STARTTLS.
func Ehlo(client string, ext ...string) string {
	var b strings.Builder
	b.WriteString("C: EHLO " + client + "\n")
	lines := append([]string{"mx.example"}, ext...)
	for i, e := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		b.WriteString("S: 250" + sep + e + "\n")
	}
	return b.String()
}

// Certificate makes a self-signed one for a name and 127.0.0.1.
func Certificate(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
