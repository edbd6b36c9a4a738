package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// issued is a certificate with its key, as PEM texts too.
type issued struct {
	cert     *x509.Certificate
	signer   *ecdsa.PrivateKey
	pem, key string
}

// issue makes a certificate that by signs, or that signs itself.
func issue(t *testing.T, name string, from, until time.Duration, by *issued) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until), IsCA: true, BasicConstraintsValid: true,
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.signer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"a remark\n" + string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))}
}

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func typed(t *testing.T, file string, words ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs strings.Builder
	err = run(append([]string{"-c", file}, words...), strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), err
}

// TestCertHooks: each of the ways in writes the same file.
func TestCertHooks(t *testing.T) {
	ca := issue(t, "ca.test", -time.Hour, time.Hour, nil)
	c := issue(t, "mx.test", -time.Hour, time.Hour, ca)
	lineage := filepath.Join(t.TempDir(), "mx.example.org")
	chain := put(t, filepath.Join(lineage, "fullchain.pem"), c.pem+ca.pem)
	key := put(t, filepath.Join(lineage, "privkey.pem"), c.key)
	for _, tc := range []struct {
		name  string
		env   map[string]string
		words []string
		want  string // name of the file; "" for none
	}{
		{"two files", nil, []string{chain, key}, "mx.test"},
		{"two files and a name", nil, []string{"-name", "second", chain, key}, "second"},
		{"certbot", map[string]string{"RENEWED_LINEAGE": lineage, "RENEWED_DOMAINS": "mx.test"}, nil, "mx.example.org"},
		{"certbot and a name", map[string]string{"RENEWED_LINEAGE": lineage}, []string{"-name", "mx"}, "mx"},
		{"lego", map[string]string{"LEGO_CERT_PATH": chain, "LEGO_CERT_KEY_PATH": key, "LEGO_CERT_DOMAIN": "*.example.org"}, nil, "_.example.org"},
		{"dehydrated", nil, []string{"deploy_cert", "example.net", key, "/nowhere", chain, "/nowhere", "1700000000"}, "example.net"},
		{"dehydrated, another event", nil, []string{"deploy_challenge", "example.net", "file", "token"}, ""},
		{"dehydrated, its end", nil, []string{"exit_hook"}, ""},
		{"dehydrated, whether we know it or not", nil, []string{"this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file, dir := instance(t, "")
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			_, stderr, err := typed(t, file, append([]string{"cert", "install"}, tc.words...)...)
			if err != nil {
				t.Fatal(err)
			}
			made, _ := filepath.Glob(filepath.Join(dir, "tls", "*"))
			if tc.want == "" {
				if len(made) != 0 || stderr != "" {
					t.Errorf("got %v and %q, want nothing", made, stderr)
				}
				return
			}
			path := filepath.Join(dir, "tls", tc.want+".pem")
			if len(made) != 1 || made[0] != path {
				t.Fatalf("got %v, want %s", made, path)
			}
			checkInstalled(t, path, c.cert)
		})
	}
}

// checkInstalled looks at a file as a daemon does, and at who may read it.
func checkInstalled(t *testing.T, path string, want *x509.Certificate) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(path, path)
	if err != nil || len(pair.Certificate) != 2 || !pair.Leaf.Equal(want) {
		t.Fatalf("got %v, %d certificates, want the new one and its chain", err, len(pair.Certificate))
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode() != 0o640 || folder.Mode() != os.ModeDir|0o750 {
		t.Errorf("got %v in %v, want 0640 in 0750", fi.Mode(), folder.Mode())
	}
	if st := fi.Sys().(*syscall.Stat_t); os.Geteuid() == 0 && (st.Uid != 0 || st.Gid != 61022) {
		t.Errorf("got owner %d:%d, want root and the group of the keys", st.Uid, st.Gid)
	}
}

// TestCertRefused: what cannot be served changes nothing.
func TestCertRefused(t *testing.T) {
	ca := issue(t, "ca.test", -time.Hour, time.Hour, nil)
	good := issue(t, "mx.test", -time.Hour, time.Hour, ca)
	other := issue(t, "mx.test", -time.Hour, time.Hour, ca)
	old := issue(t, "mx.test", -2*time.Hour, -time.Hour, ca)
	early := issue(t, "mx.test", time.Hour, 2*time.Hour, ca)
	for _, tc := range []struct{ name, chain, key, want string }{
		{"another's key", good.pem + ca.pem, other.key, "the key is not that of the first certificate"},
		{"the chain upside down", ca.pem + good.pem, good.key, "who signed the one before"},
		{"a link of another chain", good.pem + other.pem, good.key, "who signed the one before"},
		{"over", old.pem + ca.pem, old.key, "certificate 1: found one that ended"},
		{"to come", early.pem + ca.pem, early.key, "certificate 1: found one that begins"},
		{"no certificate", good.key, good.key, "found no certificate"},
		{"no key", good.pem, good.pem, "found 0 private keys"},
		{"two keys", good.pem, good.key + other.key, "found 2 private keys"},
		{"nothing", "", "", "expected one"},
		{"garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", good.key, "certificate 1: "},
		{"too long", strings.Repeat("x", maxPEM+1), good.key, "bytes, expected a key or certificates"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file, dir := instance(t, "")
			before := put(t, filepath.Join(dir, "tls", "mx.test.pem"), "the one before")
			chain, key := put(t, filepath.Join(dir, "chain"), tc.chain), put(t, filepath.Join(dir, "key"), tc.key)
			if _, _, err := typed(t, file, "cert", "install", chain, key); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if text, err := os.ReadFile(before); err != nil || string(text) != "the one before" {
				t.Errorf("got %q, %v, want the file as it was", text, err)
			}
		})
	}
}

func TestCertUsage(t *testing.T) {
	file, _ := instance(t, "")
	for _, words := range [][]string{
		{"cert"}, {"cert", "remove"}, {"cert", "install"}, {"cert", "install", "one"}, {"cert", "install", "a", "b", "c"},
		{"cert", "install", "-x"}, {"cert", "install", "-name", "../x", "a", "b"}, {"cert", "install", "-name", ".x", "a", "b"},
		{"cert", "install", "deploy_cert", "example.net", "key"},
		{"cert", "install", "deploy_cert", "../example.net", "key", "cert", "fullchain"},
	} {
		if _, _, err := typed(t, file, words...); err == nil || !strings.Contains(err.Error(), "usage") {
			t.Errorf("%v: got %v, want usage", words, err)
		}
	}
}

// TestCertWarnings: a certificate that is installed but of no use.
func TestCertWarnings(t *testing.T) {
	file, dir := instance(t, "")
	c := issue(t, "www.test", -time.Hour, time.Hour, nil)
	chain, key := put(t, filepath.Join(dir, "chain"), c.pem), put(t, filepath.Join(dir, "key"), c.key)
	out, stderr, err := typed(t, file, "cert", "install", chain, key)
	if err != nil || !strings.Contains(out, "tls/mx.test.pem: www.test, until ") {
		t.Errorf("got %q, %v", out, err)
	}
	for _, want := range []string{"is not for the hostname", "nobody reads "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("got %q, want it to say %q", stderr, want)
		}
	}
	good := issue(t, "mx.test", -time.Hour, time.Hour, nil)
	put(t, chain, good.pem)
	put(t, key, good.key)
	text, _ := os.ReadFile(file)
	os.WriteFile(file, append(text, "tls "+filepath.Join(dir, "tls/mx.test.pem")+"\n"...), 0o644)
	if _, stderr, err = typed(t, file, "cert", "install", chain, key); err != nil || stderr != "" {
		t.Errorf("got %q, %v, want no warning", stderr, err)
	}
}
