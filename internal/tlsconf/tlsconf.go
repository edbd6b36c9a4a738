// Package tlsconf is the server side of TLS: certificates from PEM files that
// hold key and chain in one, chosen by the name a client asks for, and swapped
// without a restart when the files change.
//
// The files are looked at again when a client connects, but at most every few
// seconds, and on Reload. A file that has become unusable changes nothing: the
// keys read before stay in use and the fault is reported once.
package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxFile  = 1 << 20         // bytes; a key and a long chain have some ten thousand
	pollWait = 2 * time.Second // least time between two looks at the files
)

// Keys holds the keys of a service. It is safe for concurrent use.
type Keys struct {
	report func(error)
	now    func() time.Time
	set    atomic.Pointer[set]
	next   atomic.Int64 // nanoseconds of now from which the files are looked at again

	mu     sync.Mutex // held while files are read
	files  []string
	failed string // the fault reported last
}

// set is what one reading of the files gave; it does not change.
type set struct {
	certs  []*tls.Certificate
	stamps []stamp
}

// stamp tells whether a file was changed or replaced.
type stamp struct {
	size, mtime, ctime int64
	ino                uint64
}

// Open reads files, each with one private key and its certificate followed by
// the chain, and returns their keys. The first file serves clients that name no
// host or one that no file has; at least one is wanted.
//
// report is told of a file that became unusable later, from any goroutine; nil
// means nobody is. Errors name the file.
func Open(files []string, report func(error)) (*Keys, error) {
	if report == nil {
		report = func(error) {}
	}
	k := &Keys{report: report, now: time.Now}
	if err := k.Reload(files); err != nil {
		return nil, err
	}
	return k, nil
}

// Reload reads files anew, whatever their stamps say. On an error, which names
// the file, the keys and the list of files stay as they were.
func (k *Keys) Reload(files []string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, err := read(files)
	if err != nil {
		return err
	}
	k.files, k.failed = append([]string(nil), files...), ""
	k.set.Store(s)
	k.next.Store(k.now().Add(pollWait).UnixNano())
	return nil
}

// Config returns a configuration for servers that always uses the newest keys:
// TLS 1.2 at least (RFC 8996), otherwise crypto/tls's own choices.
func (k *Keys) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			k.poll()
			return k.set.Load().pick(hello), nil
		},
	}
}

// pick returns the first certificate that fits the client, or else the first.
func (s *set) pick(hello *tls.ClientHelloInfo) *tls.Certificate {
	for _, c := range s.certs {
		if hello.ServerName != "" && hello.SupportsCertificate(c) == nil {
			return c
		}
	}
	return s.certs[0]
}

// poll reads the files again when one of them changed. Only one caller at a
// time looks; the others go on with the keys at hand.
func (k *Keys) poll() {
	now := k.now()
	next := k.next.Load()
	if now.UnixNano() < next || !k.next.CompareAndSwap(next, now.Add(pollWait).UnixNano()) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set.Load().current(k.files) {
		return
	}
	s, err := read(k.files)
	if err != nil {
		k.fault(err)
		return
	}
	k.failed = ""
	k.set.Store(s)
}

// fault reports err unless it is the one reported last.
func (k *Keys) fault(err error) {
	if err.Error() == k.failed {
		return
	}
	k.failed = err.Error()
	k.report(err)
}

// current reports whether files are still those that s was read from.
func (s *set) current(files []string) bool {
	for i, name := range files {
		info, err := os.Stat(name)
		if err != nil || stampOf(info) != s.stamps[i] {
			return false
		}
	}
	return true
}

func stampOf(info os.FileInfo) stamp {
	s := stamp{size: info.Size(), mtime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.ctime, s.ino = st.Ctim.Nano(), st.Ino
	}
	return s
}

// read reads all files.
func read(files []string) (*set, error) {
	if len(files) == 0 {
		return nil, errors.New("tls: no key file given")
	}
	s := &set{}
	for _, name := range files {
		cert, st, err := readFile(name)
		if err != nil {
			return nil, fmt.Errorf("tls key %s: %w", name, err)
		}
		s.certs, s.stamps = append(s.certs, cert), append(s.stamps, st)
	}
	return s, nil
}

// readFile reads one file: the same open file is checked, stamped and read.
func readFile(name string) (*tls.Certificate, stamp, error) {
	// O_NONBLOCK: opening a FIFO must not hang the daemon.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, stamp{}, withoutPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, stamp{}, withoutPath(err)
	}
	if err := checkMode(info); err != nil {
		return nil, stamp{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, stamp{}, withoutPath(err)
	}
	if len(text) > maxFile {
		return nil, stamp{}, fmt.Errorf("has more than %d bytes, expected a key and its certificates", maxFile)
	}
	cert, err := parse(text)
	return cert, stampOf(info), err
}

// checkMode refuses a key that everybody can read or that others than its owner
// can change.
func checkMode(info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("is not a regular file (%s)", info.Mode().Type())
	}
	if perm := info.Mode().Perm(); perm&0o027 != 0 {
		return fmt.Errorf("mode %04o is too open, expected 0640 or 0600", perm)
	}
	return nil
}

// parse makes a certificate of a PEM file.
func parse(text []byte) (*tls.Certificate, error) {
	key, chain := blocks(text)
	switch {
	case !key:
		return nil, errors.New("holds no private key")
	case !chain:
		return nil, errors.New("holds no certificate")
	}
	cert, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("key and certificate do not fit: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, err
		}
	}
	return &cert, nil
}

// blocks tells what a PEM file holds.
func blocks(text []byte) (key, chain bool) {
	for {
		var b *pem.Block
		b, text = pem.Decode(text)
		switch {
		case b == nil:
			return key, chain
		case b.Type == "CERTIFICATE":
			chain = true
		case strings.HasSuffix(b.Type, "PRIVATE KEY"):
			key = true
		}
	}
}

// withoutPath drops the path from err, because the caller names the file.
func withoutPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Version names a TLS version and cipher suite for trace lines and logs, such as
// "TLS1.3 TLS_AES_128_GCM_SHA256".
func Version(s tls.ConnectionState) string {
	return strings.ReplaceAll(tls.VersionName(s.Version), " ", "") + " " + tls.CipherSuiteName(s.CipherSuite)
}

// Exporter returns the channel binding of a connection (RFC 9266), or nil where
// there is none: TLS 1.2 has one only with its extended master secret.
func Exporter(s tls.ConnectionState) []byte {
	if !s.HandshakeComplete {
		return nil
	}
	key, err := s.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		return nil
	}
	return key
}
