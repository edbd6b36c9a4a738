package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/durable"
)

// renewed is a certificate as whoever renewed it left it.
type renewed struct{ name, chain, key string }

// cert installs a certificate: key and chain in one file, which the daemons
// notice by themselves.
func cert(e *env, args []string) error {
	if len(args) == 0 || args[0] != "install" {
		return usage("expected: cert install [-name name] [fullchain key]")
	}
	r, err := findRenewed(args[1:], os.Getenv)
	if err != nil || r == nil {
		return err
	}
	text, leaf, err := r.read(time.Now())
	if err != nil {
		return fmt.Errorf("cert install: %w", err)
	}
	if r.name == "" {
		r.name = e.conf.Hostname
	}
	path, err := installKeys(e.conf, r.name, text)
	if err != nil {
		return fmt.Errorf("cert install: %w", err)
	}
	fmt.Fprintf(e.stdout, "%s: %s, until %s\n", path, strings.Join(leaf.DNSNames, " "), leaf.NotAfter.UTC().Format(time.RFC3339))
	if err := leaf.VerifyHostname(e.conf.Hostname); err != nil {
		fmt.Fprintf(e.stderr, "posthorn: warning: %s is not for the hostname: %v\n", path, err)
	}
	if !slices.Contains(e.conf.TLS, path) {
		fmt.Fprintf(e.stderr, "posthorn: warning: nobody reads %s: %s has no line: tls %s\n", path, e.conf.File, path)
	}
	return nil
}

// hookWord is the first word that dehydrated gives its hook: the event.
var hookWord = regexp.MustCompile(`^[a-z]+(_[a-z_]+)+$`)

// findRenewed returns what is to be installed: what the words name, or what
// certbot, lego or dehydrated have renewed. nil is an event without a
// certificate.
func findRenewed(args []string, getenv func(string) string) (*renewed, error) {
	if len(args) > 0 && hookWord.MatchString(args[0]) {
		return fromDehydrated(args)
	}
	flags := flag.NewFlagSet("cert install", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	r := &renewed{}
	flags.StringVar(&r.name, "name", "", "")
	if err := flags.Parse(args); err != nil {
		return nil, usage("cert install: %v", err)
	}
	switch lineage := getenv("RENEWED_LINEAGE"); {
	case flags.NArg() == 2:
		r.chain, r.key = flags.Arg(0), flags.Arg(1)
	case flags.NArg() > 0:
		return nil, usage("expected: cert install [-name name] [fullchain key]")
	case lineage != "": // certbot
		r.chain, r.key = filepath.Join(lineage, "fullchain.pem"), filepath.Join(lineage, "privkey.pem")
		r.suggest(filepath.Base(lineage))
	case getenv("LEGO_CERT_PATH") != "":
		r.chain, r.key = getenv("LEGO_CERT_PATH"), getenv("LEGO_CERT_KEY_PATH")
		r.suggest(getenv("LEGO_CERT_DOMAIN"))
	default:
		return nil, usage("cert install: found no certificate, expected two files, or the environment of certbot or lego")
	}
	return r, checkName(r.name)
}

// fromDehydrated reads deploy_cert DOMAIN KEYFILE CERTFILE FULLCHAINFILE
// CHAINFILE TIMESTAMP. The other events, some of which are new in each version,
// are none of ours.
func fromDehydrated(args []string) (*renewed, error) {
	if args[0] != "deploy_cert" {
		return nil, nil
	}
	if len(args) < 5 {
		return nil, usage("cert install deploy_cert: found %d words, expected domain, key, certificate, full chain and chain", len(args)-1)
	}
	r := &renewed{key: args[2], chain: args[4]}
	r.suggest(args[1])
	return r, checkName(r.name)
}

// suggest sets the name unless the administrator has.
func (r *renewed) suggest(name string) {
	if r.name == "" {
		r.name = strings.ReplaceAll(name, "*", "_")
	}
}

// checkName wants a name that is one file of a folder.
func checkName(name string) error {
	if strings.HasPrefix(name, ".") || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		return usage("cert install: found the name %q, expected letters, digits, dots and hyphens", name)
	}
	return nil
}

// read returns the file that the daemons want, key and chain, and the
// certificate in it.
func (r *renewed) read(now time.Time) (text []byte, leaf *x509.Certificate, err error) {
	key, err := blocks(r.key, func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") })
	if err != nil {
		return nil, nil, err
	}
	if len(key) != 1 {
		return nil, nil, fmt.Errorf("%s: found %d private keys, expected one", r.key, len(key))
	}
	chain, err := blocks(r.chain, func(kind string) bool { return kind == "CERTIFICATE" })
	if err != nil {
		return nil, nil, err
	}
	leaf, err = checkChain(chain, now)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.chain, err)
	}
	for _, b := range append(key, chain...) {
		b.Headers = nil
		text = append(text, pem.EncodeToMemory(b)...)
	}
	if _, err := tls.X509KeyPair(text, text); err != nil {
		return nil, nil, fmt.Errorf("%s and %s: the key is not that of the first certificate: %w", r.key, r.chain, err)
	}
	return text, leaf, nil
}

// maxPEM bounds a file of keys or certificates.
const maxPEM = 1 << 20

// blocks reads those PEM blocks of a file whose kind is wanted.
func blocks(file string, want func(kind string) bool) ([]*pem.Block, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPEM {
		return nil, fmt.Errorf("%s: found more than %d bytes, expected a key or certificates", file, maxPEM)
	}
	var all []*pem.Block
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return all, nil
		}
		if want(b.Type) {
			all = append(all, b)
		}
	}
}

// checkChain wants the certificate itself first, in force, and each of the
// others to be of who signed the one before.
func checkChain(chain []*pem.Block, now time.Time) (leaf *x509.Certificate, err error) {
	var last *x509.Certificate
	for i, b := range chain {
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		switch {
		case i == 0 && now.After(c.NotAfter):
			return nil, fmt.Errorf("certificate %d: found one that ended %s", i+1, c.NotAfter.UTC().Format(time.RFC3339))
		case i == 0 && now.Before(c.NotBefore):
			return nil, fmt.Errorf("certificate %d: found one that begins %s", i+1, c.NotBefore.UTC().Format(time.RFC3339))
		case last != nil && !bytes.Equal(last.RawIssuer, c.RawSubject):
			return nil, fmt.Errorf("certificate %d: found %s, expected %s, who signed the one before", i+1, c.Subject, last.Issuer)
		case last == nil:
			leaf = c
		}
		last = c
	}
	if leaf == nil {
		return nil, errors.New("found no certificate")
	}
	return leaf, nil
}

// installKeys writes the file for those who serve TLS.
func installKeys(c *conf.Config, name string, text []byte) (path string, err error) {
	uid, gid := -1, -1
	if !c.Private() {
		if gid, err = c.Group("tls"); err != nil {
			return "", err
		}
		uid = 0
	}
	dir := filepath.Join(filepath.Dir(c.File), "tls")
	if err := os.Mkdir(dir, 0o700); err == nil {
		if err := errors.Join(os.Chown(dir, uid, gid), os.Chmod(dir, 0o750)); err != nil {
			return "", err
		}
	} else if !errors.Is(err, os.ErrExist) {
		return "", err
	}
	path = filepath.Join(dir, name+".pem")
	return path, new(durable.Disk).ReplaceAs(path, 0o640, uid, gid, text)
}
