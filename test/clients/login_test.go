package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

const loginMpoprc = `account default
host localhost
port %pop3s%
user %BOB%
password %SECRET%
auth %AUTH%
tls on
tls_starttls off
tls_trust_file %CA%
tls_cert_file %CERT%
tls_key_file %CERT%
keep on
delivery maildir %HOME%/mail
uidls_file %HOME%/uidls
`

const loginMsmtprc = `account default
host localhost
port %submissions%
from %BOB%
user %BOB%
password %SECRET%
auth %AUTH%
tls on
tls_starttls off
tls_trust_file %CA%
tls_cert_file %CERT%
tls_key_file %CERT%
`

// TestMechanisms: the libraries of others log in by each mechanism that they have:
// GNU SASL in mpop and msmtp, Cyrus SASL in mbsync.
func TestMechanisms(t *testing.T) {
	t.Parallel()
	suite.Need(t, "mpop", "msmtp", "mbsync")
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil { // for authd's user
			t.Fatal(err)
		}
	}
	helper, authority := filepath.Join(dir, "helper"), filepath.Join(dir, "clients.pem")
	if err := os.WriteFile(helper, []byte("#!/bin/sh\nread token\ntest $token = bobs && echo bob\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	pair := signed(t, authority, "laptop-7")
	d := (&desk{Instance: suite.Server(t, instance.Options{Conf: "token-helper " + helper + "\ntls-clients " + authority + "\n"})}).at(t)
	giveKeys(t, d, suite.Bob, "certificate=laptop-7")
	cert := d.file("cert.pem", pair)
	for _, tc := range []struct{ client, auth, mechanism, secret string }{
		{"mpop", "user", "", instance.Password},
		{"mpop", "plain", "PLAIN", instance.Password},
		{"mpop", "login", "LOGIN", instance.Password},
		{"mpop", "scram-sha-256", "SCRAM-SHA-256", instance.Password},
		{"mpop", "oauthbearer", "OAUTHBEARER", "bobs"},
		{"mpop", "xoauth2", "XOAUTH2", "bobs"},
		{"mpop", "external", "EXTERNAL", "x"},
		{"msmtp", "scram-sha-256", "SCRAM-SHA-256", instance.Password},
		{"msmtp", "oauthbearer", "OAUTHBEARER", "bobs"},
		{"msmtp", "xoauth2", "XOAUTH2", "bobs"},
		{"msmtp", "external", "EXTERNAL", "x"},
		{"mbsync", "SCRAM-SHA-256", "SCRAM-SHA-256", instance.Password},
		{"mbsync", "LOGIN", "", instance.Password},
	} {
		t.Run(tc.client+" "+tc.auth, func(t *testing.T) {
			d := d.at(t)
			fill := strings.NewReplacer("%AUTH%", tc.auth, "%SECRET%", tc.secret, "%CERT%", cert, "%PORT%", "%imaps%", "%TLS%", "IMAPS")
			before := len(d.Log())
			switch tc.client {
			case "mpop":
				d.maildir("mail")
				d.run("", "mpop", "-C", d.file("rc", fill.Replace(loginMpoprc)))
			case "msmtp":
				d.run("Subject: by "+tc.auth+"\n\ntext\n", "msmtp", "-C", d.file("rc", fill.Replace(loginMsmtprc)), suite.Bob)
			case "mbsync":
				d.maildir("mail/INBOX")
				d.run("", "mbsync", "-c", d.file("rc", fill.Replace(mbsyncrc)), "c")
			}
			got := ""
			suite.Eventually(t, "the login in the log", func() (ok bool) {
				got, ok = loggedIn(d.Log()[before:])
				return ok
			})
			if got != tc.mechanism {
				t.Errorf("got a login by %q, want %q", got, tc.mechanism)
			}
		})
	}
}

// loggedIn returns the mechanism of the login in a piece of the log.
func loggedIn(lines []string) (mechanism string, ok bool) {
	for _, line := range lines {
		if strings.Contains(line, "authd: login ") && strings.HasSuffix(line, " verdict=done") {
			return instance.Value(line, "mechanism"), true
		}
	}
	return "", false
}

// giveKeys stores a user's password as keys, and an extra field with it.
func giveKeys(t *testing.T, d *desk, user, field string) {
	t.Helper()
	if out, err := d.Posthorn(instance.Password+"\n", "passwd", "--scram", user); err != nil {
		t.Fatalf("passwd: %v: %s", err, out)
	}
	table := filepath.Join(d.Dir, "users")
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, user+":") {
			lines[i] = strings.TrimRight(line, ":") + "::::::" + field
		}
	}
	if err := os.WriteFile(table, []byte(strings.Join(lines, "\n")), 0o640); err != nil {
		t.Fatal(err)
	}
}

// signed writes an authority to a file and returns a certificate of it with its
// key.
func signed(t *testing.T, file, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature}
	var ders [][]byte
	for _, tmpl := range []*x509.Certificate{ca, leaf} {
		der, err := x509.CreateCertificate(rand.Reader, tmpl, ca, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		ders = append(ders, der)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ders[0]}), 0o644); err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ders[1]})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}
