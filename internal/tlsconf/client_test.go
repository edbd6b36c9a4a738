package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// authority signs certificates of clients.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func issue(t *testing.T, tmpl *x509.Certificate, by *authority) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.SerialNumber, tmpl.NotAfter = big.NewInt(1), time.Now().Add(time.Hour)
	parent, signer := tmpl, key
	if by.cert != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if by.cert == nil {
		by.cert, _ = x509.ParseCertificate(der)
		by.key = key
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	ca := &authority{}
	issue(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, ca)
	return ca
}

// shake connects a client to a server that asks for certificates.
func shake(t *testing.T, server *tls.Config, certs ...tls.Certificate) (tls.ConnectionState, error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	a.SetDeadline(time.Now().Add(20 * time.Second))
	b.SetDeadline(time.Now().Add(20 * time.Second))
	client := tls.Client(a, &tls.Config{InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &append(slices.Clone(certs), tls.Certificate{})[0], nil
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.Handshake()
		client.Read(make([]byte, 1)) // takes the tickets
	}()
	s := tls.Server(b, server)
	err := s.Handshake()
	state := s.ConnectionState()
	b.Close()
	<-done
	return state, err
}

func TestClients(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	file := filepath.Join(t.TempDir(), "clients.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	use := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	server := &tls.Config{Certificates: []tls.Certificate{issue(t, &x509.Certificate{}, &authority{})}}
	if err := Clients(server, file); err != nil {
		t.Fatal(err)
	}
	subject := pkix.Name{CommonName: "laptop-7", ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "old@example.org"}}}
	for _, tc := range []struct {
		name  string
		certs []tls.Certificate
		want  string
		fails bool
	}{
		{"none", nil, "", false},
		{"all names", []tls.Certificate{issue(t, &x509.Certificate{EmailAddresses: []string{"ann@example.org", "a@b"}, Subject: subject, ExtKeyUsage: use}, ca)},
			"ann@example.org a@b old@example.org laptop-7", false},
		{"no names", []tls.Certificate{issue(t, &x509.Certificate{ExtKeyUsage: use}, ca)}, "", false},
		{"a line end in a name", []tls.Certificate{issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "a\nuser=b"}, ExtKeyUsage: use}, ca)}, "", false},
		{"for servers only", []tls.Certificate{issue(t, &x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca)}, "", true},
		{"of another authority", []tls.Certificate{issue(t, &x509.Certificate{Subject: subject, ExtKeyUsage: use}, other)}, "", true},
	} {
		state, err := shake(t, server, tc.certs...)
		if got := strings.Join(Names(state), " "); (err != nil) != tc.fails || err == nil && got != tc.want {
			t.Errorf("%s: got %q, %v, want %q", tc.name, got, err, tc.want)
		}
	}
	unproved := tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: subject, EmailAddresses: []string{"ann@example.org"}}}}
	if got := Names(unproved); got != nil {
		t.Errorf("got %q of a certificate that nobody has verified", got)
	}
	os.WriteFile(file, []byte("no PEM"), 0o644)
	for _, name := range []string{file, file + "x"} {
		if err := Clients(new(tls.Config), name); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// TestExporter: both sides know the same, and another connection has another.
func TestExporter(t *testing.T) {
	server := &tls.Config{Certificates: []tls.Certificate{issue(t, &x509.Certificate{}, &authority{})}}
	one, err := shake(t, server)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := shake(t, server)
	if a, b := Exporter(one), Exporter(two); len(a) != 32 || string(a) == string(b) {
		t.Errorf("got %x and %x, want two of 32 bytes", a, b)
	}
	if got := Exporter(tls.ConnectionState{}); got != nil {
		t.Errorf("without a connection: got %x", got)
	}
}
