package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keyFile writes a certificate for localhost and returns its path and who
// trusts it.
func keyFile(t *testing.T) (string, *x509.CertPool) {
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
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	pem.Encode(&text, &pem.Block{Type: "PRIVATE KEY", Bytes: private})
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text.Write(certificate)
	file := filepath.Join(t.TempDir(), "mx.pem")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	return file, pool
}

// until reads lines up to one that is want.
func until(t *testing.T, r *bufio.Reader, want string) string {
	t.Helper()
	var all strings.Builder
	for {
		line, err := r.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			t.Fatalf("got %q, %v, want %q in it", all.String(), err, want)
		}
		if line == want+"\r\n" {
			return all.String()
		}
	}
}

func TestSTLS(t *testing.T) {
	file, roots := keyFile(t)
	conn, err := net.Dial("tcp", serve(t, "plaintext-login no\ntls "+file+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	r := bufio.NewReader(conn)
	io.WriteString(conn, "CAPA\r\n")
	if got := until(t, r, "."); !strings.Contains(got, "\r\nSTLS\r\n") || strings.Contains(got, "\r\nUSER\r\n") {
		t.Errorf("in clear: got %q, want STLS and no USER", got)
	}
	// USER in clear behind STLS must not become half of a login.
	io.WriteString(conn, "STLS\r\nUSER evil\r\n")
	until(t, r, "+OK begin TLS negotiation")
	tc := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{"pop3"}})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	r = bufio.NewReader(tc)
	io.WriteString(tc, "PASS pw\r\nSTLS\r\nCAPA\r\n")
	got := until(t, r, ".")
	if !strings.HasPrefix(got, "-ERR PASS needs a USER before it and a password\r\n-ERR TLS is not available or active already\r\n") {
		t.Errorf("over TLS: got %q, want the USER forgotten and STLS refused", got)
	}
	if strings.Contains(got, "\r\nSTLS\r\n") || !strings.Contains(got, "\r\nUSER\r\nSASL PLAIN\r\n") {
		t.Errorf("over TLS: got %q, want USER and no STLS", got)
	}
	io.WriteString(tc, "USER ann\r\nPASS pw\r\nSTAT\r\n")
	until(t, r, `+OK ann "STAT\r\n"`)
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v, want the end", rest, err)
	}
}

// TestAnotherProtocolsClientIsRefused: who asks for HTTP in the handshake does
// not get to send its request as commands.
func TestAnotherProtocolsClientIsRefused(t *testing.T) {
	file, roots := keyFile(t)
	conn, err := net.Dial("tcp", serve(t, "tls "+file+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	io.WriteString(conn, "STLS\r\n")
	until(t, bufio.NewReader(conn), "+OK begin TLS negotiation")
	tc := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
	if err := tc.Handshake(); err == nil {
		t.Error("the handshake succeeded")
	}
}
