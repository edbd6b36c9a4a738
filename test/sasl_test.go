package test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/internal/password"
	"posthorn/test/instance"
	"posthorn/test/scram"
	"posthorn/test/suite"
)

// speaker is a client of one of the protocols that have SASL.
type speaker struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader

	service          string
	offers           []string // mechanisms
	auth, ask, taken string   // the command, what begins a challenge, and a success
}

// speak connects to a service over TLS and asks what it offers.
func speak(t *testing.T, i *instance.Instance, service string, certs ...tls.Certificate) *speaker {
	t.Helper()
	conn, err := tls.Dial("tcp", i.Addr[service], &tls.Config{InsecureSkipVerify: true, Certificates: certs})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { conn.Close() })
	s := &speaker{t: t, conn: conn, in: bufio.NewReader(conn), service: service}
	var said string
	switch service {
	case "imaps":
		s.auth, s.ask, s.taken = "a AUTHENTICATE ", "+ ", "a OK "
		said = s.line()
		for word := range strings.FieldsSeq(strings.Trim(said, "[]")) {
			if name, ok := strings.CutPrefix(strings.Trim(word, "]"), "AUTH="); ok {
				s.offers = append(s.offers, name)
			}
		}
		return s
	case "pop3s":
		s.auth, s.ask, s.taken = "AUTH ", "+ ", "+OK "
		s.line()
		fmt.Fprint(conn, "CAPA\r\n")
		said = s.until(".")
		_, said, _ = strings.Cut(said, "SASL ")
	default:
		s.auth, s.ask, s.taken = "AUTH ", "334 ", "235 "
		s.line()
		fmt.Fprint(conn, "EHLO client.test\r\n")
		said = s.until("250 ")
		_, said, _ = strings.Cut(said, "AUTH ")
	}
	said, _, _ = strings.Cut(said, "\n")
	s.offers = strings.Fields(said)
	return s
}

func (s *speaker) line() string {
	s.t.Helper()
	line, err := s.in.ReadString('\n')
	if err != nil {
		s.t.Fatalf("%s: got %q, %v", s.service, line, err)
	}
	return strings.TrimRight(line, "\r\n")
}

func (s *speaker) until(prefix string) string {
	var all strings.Builder
	for {
		line := s.line()
		all.WriteString(line + "\n")
		if strings.HasPrefix(line, prefix) {
			return all.String()
		}
	}
}

// say sends a response and returns the challenge that follows, or the answer.
func (s *speaker) say(text string) (challenge string, more bool) {
	s.t.Helper()
	fmt.Fprintf(s.conn, "%s\r\n", text)
	line := s.line()
	encoded, more := strings.CutPrefix(line, s.ask)
	if !more || strings.HasPrefix(line, s.taken) {
		return line, false
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		s.t.Fatalf("%s: got the challenge %q", s.service, line)
	}
	return string(raw), true
}

// quit ends a session with POP3, of which there is one a mailbox.
func (s *speaker) quit() {
	s.t.Helper()
	if s.service == "pop3s" {
		fmt.Fprint(s.conn, "QUIT\r\n")
		s.line()
	}
}

func coded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// scram goes through SCRAM and returns the answer at its end.
func (s *speaker) scram(mechanism string, c *scram.Client) string {
	s.t.Helper()
	text, more := s.say(s.auth + mechanism + " " + coded(c.First()))
	if !more {
		return text
	}
	final, err := c.Final(text)
	if err != nil {
		s.t.Fatalf("%s: %v", s.service, err)
	}
	if text, more = s.say(coded(final)); !more {
		return text
	}
	if err := c.Check(text); err != nil {
		s.t.Errorf("%s: %v", s.service, err)
	}
	text, _ = s.say("")
	return text
}

// binding is the channel binding of the connection (RFC 9266).
func (s *speaker) binding() []byte {
	state := s.conn.(*tls.Conn).ConnectionState()
	key, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// TestSASL: every service that has logins takes each mechanism, as each account
// can.
func TestSASL(t *testing.T) {
	keys, err := password.MakeKeys("secret")
	if err != nil {
		t.Fatal(err)
	}
	i := suite.Server(t, instance.Options{Conf: "auth-delay 0s\nauth-failures 1000\n"})
	for _, service := range []string{"imaps", "pop3s", "submissions"} {
		if got := strings.Join(speak(t, i, service).offers, " "); got != "PLAIN LOGIN" {
			t.Errorf("%s, nobody has keys: got %q, want PLAIN LOGIN", service, got)
		}
	}
	users, err := os.OpenFile(filepath.Join(i.Dir, "users"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(users, "sam:%s\n", keys)
	if err := users.Close(); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"imaps", "pop3s", "submissions"} {
		t.Run(service, func(t *testing.T) { logIns(t, i, service) })
	}
}

func logIns(t *testing.T, i *instance.Instance, service string) {
	const all = "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"
	suite.Eventually(t, service+" offers "+all, func() bool { return strings.Join(speak(t, i, service).offers, " ") == all })
	client := func(password, header string) *scram.Client {
		return &scram.Client{User: "sam", Password: password, Nonce: "fyko+d2lbbFgONRv9qkxdawL", Header: header}
	}
	s := speak(t, i, service)
	if got := s.scram("SCRAM-SHA-256", client("wrong", "n,,")); strings.HasPrefix(got, s.taken) {
		t.Errorf("a wrong password: got %q", got)
	}
	if got := s.scram("SCRAM-SHA-256", client("secret", "y,,")); strings.HasPrefix(got, s.taken) {
		t.Errorf("a downgrade: got %q", got)
	}
	if got := s.scram("SCRAM-SHA-256", client("secret", "n,,")); !strings.HasPrefix(got, s.taken) {
		t.Errorf("the right password: got %q", got)
	}
	s.quit()
	s = speak(t, i, service)
	bound := client("secret", "p=tls-exporter,,")
	bound.Binding = speak(t, i, service).binding()
	if got := s.scram("SCRAM-SHA-256-PLUS", bound); strings.HasPrefix(got, s.taken) {
		t.Errorf("the channel of somebody else: got %q", got)
	}
	bound = client("secret", "p=tls-exporter,,")
	bound.Binding = s.binding()
	if got := s.scram("SCRAM-SHA-256-PLUS", bound); !strings.HasPrefix(got, s.taken) {
		t.Errorf("the own channel: got %q", got)
	}
	s.quit()
	s = speak(t, i, service)
	s.say(s.auth + "LOGIN")
	s.say(coded("sam"))
	if got, _ := s.say(coded("secret")); !strings.HasPrefix(got, s.taken) {
		t.Errorf("LOGIN: got %q", got)
	}
	s.quit()
	s = speak(t, i, service)
	if got, _ := s.say(s.auth + "PLAIN " + coded("\x00sam\x00secret")); !strings.HasPrefix(got, s.taken) {
		t.Errorf("PLAIN: got %q", got)
	}
}

// TestTokensAndCertificates: a helper in a language of its own says whose a token
// is, under authd's rights, and a certificate is who it is for.
func TestTokensAndCertificates(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil { // for authd's user
			t.Fatal(err)
		}
	}
	helper, clients := filepath.Join(dir, "helper"), filepath.Join(dir, "clients.pem")
	script := "#!/bin/sh\nread token\ncase $token in sams) echo sam;; *) exit 1;; esac\n"
	if err := os.WriteFile(helper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	certificate := clientCertificate(t, clients, "laptop-7")
	i := suite.Server(t, instance.Options{
		Conf:  "auth-delay 0s\nauth-failures 1000\ntoken-helper " + helper + "\ntls-clients " + clients + "\n",
		Files: map[string]string{"users": "sam:{PLAIN}unused::::::certificate=laptop-7\n"},
	})
	for _, service := range []string{"imaps", "pop3s", "submissions"} {
		t.Run(service, func(t *testing.T) { withoutPassword(t, i, service, certificate) })
	}
}

func withoutPassword(t *testing.T, i *instance.Instance, service string, certificate tls.Certificate) {
	s := speak(t, i, service)
	if got, want := strings.Join(s.offers, " "), "PLAIN LOGIN OAUTHBEARER XOAUTH2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, more := s.say(s.auth + "EXTERNAL ="); more || strings.HasPrefix(got, s.taken) {
		t.Errorf("EXTERNAL without a certificate: got %q", got)
	}
	if got, more := s.say(s.auth + "XOAUTH2 " + coded("user=sam\x01auth=Bearer x\x01\x01")); !more || got != `{"status":"invalid_token"}` {
		t.Errorf("a bad token: got %q", got)
	}
	if got, more := s.say(""); more || strings.HasPrefix(got, s.taken) {
		t.Errorf("after a bad token: got %q", got)
	}
	if got, _ := s.say(s.auth + "OAUTHBEARER " + coded("n,a=sam@example.test,\x01host=x\x01auth=Bearer sams\x01\x01")); !strings.HasPrefix(got, s.taken) {
		t.Errorf("a good token: got %q", got)
	}
	s.quit()
	s = speak(t, i, service, certificate)
	if got, want := strings.Join(s.offers, " "), "PLAIN LOGIN OAUTHBEARER XOAUTH2 EXTERNAL"; got != want {
		t.Errorf("with a certificate: got %q, want %q", got, want)
	}
	if got, more := s.say(s.auth + "EXTERNAL " + coded("ann")); more || strings.HasPrefix(got, s.taken) {
		t.Errorf("somebody else's certificate: got %q", got)
	}
	if got, _ := s.say(s.auth + "EXTERNAL ="); !strings.HasPrefix(got, s.taken) {
		t.Errorf("the own certificate: got %q", got)
	}
	s.quit()
}

// clientCertificate writes an authority to a file and returns a certificate of it.
func clientCertificate(t *testing.T, file, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
