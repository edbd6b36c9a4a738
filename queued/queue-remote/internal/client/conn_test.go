package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"posthorn/queued/queue-remote/internal/script"
)

func TestGreet(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"taken", "S: 220 mx.example ESMTP", ""},
		{"in lines", "S: 220-mx.example\nS: 220 ESMTP", ""},
		{"busy", "S: 450 busy", "greeting: 450 busy"},
		{"never", "S: 554 5.7.1 go away", "greeting: 554 5.7.1 go away"},
		{"another 2xx", "S: 250 ok", "greeting: 250 ok"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, wait := scripted(t, tt.script)
			err := dial(t, at).Greet()
			if got := fmt.Sprint(err); (tt.want == "" && err != nil) || (tt.want != "" && got != tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			wait()
		})
	}
}

// What is no SMTP, or comes for ever, ends with an error and little memory.
func TestGreetHostile(t *testing.T) {
	for name, sent := range map[string]string{
		"another protocol": "SSH-2.0-x\r\n",
		"endless lines":    strings.Repeat("220-x\r\n", 100_000),
		"endless line":     strings.Repeat("x", 1_000_000),
		"closed":           "",
	} {
		t.Run(name, func(t *testing.T) {
			theirs, ours := net.Pipe()
			go func() {
				io.WriteString(theirs, sent)
				theirs.Close()
			}()
			c := New(ours, Options{Timeout: 5 * time.Second})
			err := c.Greet()
			var r *Refused
			if err == nil || errors.As(err, &r) || !c.Broken() {
				t.Errorf("got %v, want an error that is no reply", err)
			}
			c.Close()
		})
	}
}

// A reply has one deadline for all of it, not one for each byte.
func TestSlowReply(t *testing.T) {
	theirs, ours := net.Pipe()
	defer theirs.Close()
	go func() {
		for { // The pipe is the clock: each byte waits for its reader.
			if _, err := io.WriteString(theirs, "220-x\r\n"[:1]); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	c := New(ours, Options{Timeout: 50 * time.Millisecond})
	if err := c.Greet(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestHello(t *testing.T) {
	tests := []struct{ name, script, size string }{
		{"keywords in any case", "S: 220 x\nC: EHLO us.example\nS: 250-Mx.Example\nS: 250-sIzE 100\nS: 250 8bitmime", "100"},
		{"HELO after a refusal", "S: 220 x\nC: EHLO us.example\nS: 502 what\nC: HELO us.example\nS: 250-Mx.Example\nS: 250 SIZE 100", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, wait := scripted(t, tt.script)
			c := greeted(t, at)
			if got, _ := c.Ext("SIZE"); got != tt.size {
				t.Errorf("SIZE: got %q, want %q", got, tt.size)
			}
			if !c.Calls("mx.example") || c.Calls("us.example") {
				t.Errorf("names: got %v, want mx.example", c.names)
			}
			wait()
		})
	}
	at, wait := scripted(t, "S: 220 x\nC: EHLO us.example\nS: 421 no\nX")
	c := dial(t, at)
	var r *Refused
	if err := errors.Join(c.Greet(), c.Hello()); !errors.As(err, &r) || r.Reply.Code != 421 || !c.Broken() {
		t.Errorf("421 to EHLO: got %v, want it refused and the connection broken", err)
	}
	wait()
}

func TestAuth(t *testing.T) {
	tests := []struct{ name, ext, script, want string }{
		{"PLAIN", "AUTH LOGIN PLAIN", "C: AUTH PLAIN AHUAcDpx\nS: 235 ok", ""},
		{"LOGIN", "auth login", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: dQ==\nS: 334 x\nC: cDpx\nS: 235 2.7.0 ok", ""},
		{"old form", "AUTH=LOGIN", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: dQ==\nS: 334 x\nC: cDpx\nS: 235 2.7.0 ok", ""},
		{"refused", "AUTH PLAIN", "C: AUTH PLAIN AHUAcDpx\nS: 535 5.7.8 no", "AUTH: 535 5.7.8 no"},
		{"asked for more", "AUTH PLAIN", "C: AUTH PLAIN AHUAcDpx\nS: 334 more", "AUTH: 334 more"},
		{"LOGIN refused early", "AUTH LOGIN", "C: AUTH LOGIN\nS: 503 no", "AUTH: 503 no"},
		{"nothing we know", "AUTH CRAM-MD5", "", ErrNoAuth.Error()},
		{"not offered", "SIZE", "", ErrNoAuth.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, wait := scripted(t, hello(tt.ext)+tt.script)
			err := greeted(t, at).Auth("u", "p:q")
			if got := fmt.Sprint(err); (tt.want == "") != (err == nil) || err != nil && got != tt.want {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			wait()
		})
	}
	if err := (&Conn{}).Auth("u\x00v", "p"); !errors.Is(err, ErrBadAccount) {
		t.Errorf("NUL in a name: got %v, want %v", err, ErrBadAccount)
	}
}

// startTLS serves one STARTTLS: clear is what is written after the command,
// then goes on over TLS.
func startTLS(t *testing.T, cert tls.Certificate, clear, then string) (address string, wait func()) {
	t.Helper()
	s := script.Serve(t, "127.0.0.1:0", cert, hello("starttls", "AUTH PLAIN")+"C: STARTTLS\nR: "+clear+"\nT\n"+then)
	return s.Addr, func() { t.Helper(); s.Wait(t) }
}

func TestStartTLS(t *testing.T) {
	cert := script.Certificate(t, "mx.example")
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	tests := []struct {
		name   string
		config *tls.Config
		want   string
	}{
		{"not verified", &tls.Config{ServerName: "other.example", InsecureSkipVerify: true}, "TLS1.3"},
		{"verified", &tls.Config{ServerName: "mx.example", RootCAs: pool}, "TLS1.3+verified"},
		{"wrong name", &tls.Config{ServerName: "other.example", RootCAs: pool}, ""},
		{"unknown authority", &tls.Config{ServerName: "mx.example", RootCAs: x509.NewCertPool()}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, wait := startTLS(t, cert, `220 go\r\n`, "C: EHLO us.example\nS: 250-mx.example\nS: 250 SIZE 7")
			c := greeted(t, at)
			err := c.StartTLS(tt.config)
			if tt.want == "" {
				var bad *tls.CertificateVerificationError
				if !errors.As(err, &bad) || !c.Broken() || c.Encrypted() {
					t.Errorf("got %v, want a certificate refused and the connection broken", err)
				}
				return
			}
			if err != nil || c.TLS() != tt.want {
				t.Errorf("got %v %q, want %q", err, c.TLS(), tt.want)
			}
			if _, ok := c.Ext("AUTH"); ok {
				t.Error("AUTH of the clear EHLO is still believed")
			}
			if size, _ := c.Ext("SIZE"); size != "7" {
				t.Errorf("SIZE: got %q, want that of the second EHLO", size)
			}
			wait()
		})
	}
}

// Whoever injects replies behind the clear 220 must not have them taken for the
// server's after the handshake.
func TestInjectedPlaintext(t *testing.T) {
	at, wait := startTLS(t, script.Certificate(t, "mx.example"), `220 go\r\n250-evil.example\r\n250 AUTH PLAIN\r\n`, "C: EHLO us.example\nS: 250 mx.example")
	c := greeted(t, at)
	if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Fatal(err)
	}
	if c.Calls("evil.example") {
		t.Errorf("got the names %v, want none from clear text", c.names)
	}
	if _, ok := c.Ext("AUTH"); ok {
		t.Error("got AUTH from clear text")
	}
	wait()
}

func TestStartTLSRefused(t *testing.T) {
	at, wait := scripted(t, hello("STARTTLS")+"C: STARTTLS\nS: 454 4.7.0 not now")
	c := greeted(t, at)
	var r *Refused
	if err := c.StartTLS(&tls.Config{}); !errors.As(err, &r) || c.Broken() || c.TLS() != "no" {
		t.Errorf("got %v, want it refused and the connection usable", err)
	}
	wait()
}
