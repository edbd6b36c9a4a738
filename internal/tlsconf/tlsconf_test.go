package tlsconf

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair returns the PEM texts of a new key and of its certificate for host.
func pair(t *testing.T, host string) (key, cert []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	tmpl := &x509.Certificate{
		SerialNumber: serial,
		DNSNames:     []string{host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func write(t *testing.T, name string, perm os.FileMode, parts ...[]byte) {
	t.Helper()
	tmp := name + ".new"
	if err := os.WriteFile(tmp, bytes.Join(parts, nil), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tmp, perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, name); err != nil {
		t.Fatal(err)
	}
}

// file writes a good file for host and returns its name.
func file(t *testing.T, dir, host string) string {
	t.Helper()
	name := filepath.Join(dir, host+".pem")
	key, cert := pair(t, host)
	write(t, name, 0o600, key, cert)
	return name
}

// served returns the host in the certificate that a client asking for name gets.
func served(t *testing.T, k *Keys, name string, max uint16) (string, error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	done := make(chan error, 1)
	go func() {
		srv := tls.Server(b, k.Config())
		err := srv.Handshake()
		b.Close()
		done <- err
	}()
	c := tls.Client(a, &tls.Config{ServerName: name, InsecureSkipVerify: true, MaxVersion: max})
	err := c.Handshake()
	a.Close()
	if serr := <-done; err == nil && serr != nil {
		err = serr
	}
	if err != nil {
		return "", err
	}
	return c.ConnectionState().PeerCertificates[0].DNSNames[0], nil
}

func TestChoosesByName(t *testing.T) {
	dir := t.TempDir()
	k, err := Open([]string{file(t, dir, "one.test"), file(t, dir, "two.test")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ ask, want string }{
		{"one.test", "one.test"}, {"two.test", "two.test"}, {"other.test", "one.test"}, {"", "one.test"},
	} {
		got, err := served(t, k, c.ask, 0)
		if err != nil || got != c.want {
			t.Errorf("client asking for %q: got %q, %v, want %q", c.ask, got, err, c.want)
		}
	}
}

func TestRefusesOldTLS(t *testing.T) {
	k, err := Open([]string{file(t, t.TempDir(), "one.test")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := served(t, k, "one.test", tls.VersionTLS12); err != nil {
		t.Errorf("TLS 1.2: got %v, want a connection", err)
	}
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		tls.Server(b, k.Config()).Handshake()
		b.Close()
	}()
	c := tls.Client(a, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err := c.Handshake(); err == nil {
		t.Error("TLS 1.1: got a connection, want none")
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	key, cert := pair(t, "one.test")
	otherKey, _ := pair(t, "two.test")
	cases := []struct {
		name  string
		perm  os.FileMode
		parts [][]byte
		want  string
	}{
		{"no key", 0o600, [][]byte{cert}, "no private key"},
		{"no certificate", 0o600, [][]byte{key}, "no certificate"},
		{"empty", 0o600, nil, "no private key"},
		{"garbage", 0o600, [][]byte{[]byte("hello")}, "no private key"},
		{"mismatch", 0o600, [][]byte{otherKey, cert}, "do not fit"},
		{"readable by all", 0o644, [][]byte{key, cert}, "mode 0644"},
		{"writable by group", 0o660, [][]byte{key, cert}, "mode 0660"},
		{"too big", 0o600, [][]byte{key, cert, make([]byte, maxFile)}, "more than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			name := filepath.Join(dir, "k.pem")
			write(t, name, c.perm, c.parts...)
			_, err := Open([]string{name}, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want the file and %q", err, c.want)
			}
		})
	}
	if _, err := Open([]string{filepath.Join(dir, "none.pem")}, nil); err == nil || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("missing file: got %v, want its name", err)
	}
	if _, err := Open([]string{dir}, nil); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("folder: got %v, want regular", err)
	}
	if _, err := Open(nil, nil); err == nil {
		t.Error("no files: got no error")
	}
}

// TestSwap replaces the file under a running server by a good one, a broken one
// and again a good one.
func TestSwap(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "k.pem")
	key, cert := pair(t, "first.test")
	write(t, name, 0o640, key, cert)
	var faults []error
	k, err := Open([]string{name}, func(err error) { faults = append(faults, err) })
	if err != nil {
		t.Fatal(err)
	}
	clock := time.Now()
	k.now = func() time.Time { return clock }
	expect := func(step, want string, nfaults int) {
		t.Helper()
		got, err := served(t, k, "", 0)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", step, got, err, want)
		}
		if len(faults) != nfaults {
			t.Errorf("%s: got faults %v, want %d", step, faults, nfaults)
		}
	}
	key, cert = pair(t, "second.test")
	write(t, name, 0o640, key, cert)
	expect("before the next look", "first.test", 0)
	clock = clock.Add(2 * pollWait)
	expect("after it", "second.test", 0)

	write(t, name, 0o640, cert)
	clock = clock.Add(2 * pollWait)
	expect("broken file", "second.test", 1)
	clock = clock.Add(2 * pollWait)
	expect("broken file, next look", "second.test", 1)
	if err := k.Reload([]string{name}); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("reload of a broken file: got %v, want an error with its name", err)
	}
	expect("after a refused reload", "second.test", 1)

	key, cert = pair(t, "third.test")
	write(t, name, 0o640, key, cert)
	clock = clock.Add(2 * pollWait)
	expect("mended file", "third.test", 1)

	other := file(t, dir, "fourth.test")
	if err := k.Reload([]string{other}); err != nil {
		t.Fatal(err)
	}
	expect("other list", "fourth.test", 1)
}

func TestVersion(t *testing.T) {
	got := Version(tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256})
	if want := "TLS1.3 TLS_AES_128_GCM_SHA256"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := parse(text); err == nil && (c.Leaf == nil || c.PrivateKey == nil) {
			t.Error("no error and no key")
		}
	})
}
