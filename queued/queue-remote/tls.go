package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"sync"
	"time"

	"posthorn/internal/verdict"
)

// grace is how long a host has for its reply to a whole message when we are
// asked to stop.
const grace = 10 * time.Second

// tlsConfig is how to shake hands with a host. Where TLS is only wished for,
// the certificate is not looked at, for the alternative is clear text
// (RFC 7435), and old versions are better than that, too.
func (n *sending) tlsConfig(h host, verify bool) (*tls.Config, error) {
	if !verify {
		return &tls.Config{ServerName: h.name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}, nil
	}
	pool, err := n.s.roots.pool(n.r.CAFile)
	if err != nil {
		return nil, verdict.Fail(verdict.Later, "4.3.5", "the certificates of authorities cannot be read", err)
	}
	return &tls.Config{ServerName: serverName(h), RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// serverName is the name that the certificate has to carry.
func serverName(h host) string {
	if _, ok := literal(h.name); ok {
		return h.addr.Addr().String()
	}
	return h.name
}

// roots keeps the authorities of CA files, read when first needed.
type roots struct {
	mu    sync.Mutex
	pools map[string]*x509.CertPool
}

func newRoots() *roots { return &roots{pools: map[string]*x509.CertPool{}} }

// pool returns the authorities in a PEM file; "" stands for the system's.
func (r *roots) pool(file string) (*x509.CertPool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.pools[file]; ok {
		return p, nil
	}
	p, err := readPool(file)
	if err == nil {
		r.pools[file] = p
	}
	return p, err
}

func readPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return x509.SystemCertPool()
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		return nil, errors.New(file + ": found no certificate, expected PEM blocks")
	}
	return p, nil
}

// forget makes the next use read the files again.
func (r *roots) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.pools)
}
