package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxNames bounds the names of one certificate.
const maxNames = 16

// Clients has c ask each client for a certificate that one of the authorities in
// file, in PEM, has signed. A client may have none; one that shows another is not
// served.
func Clients(c *tls.Config, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("tls-clients %s: %w", file, withoutPath(err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("tls-clients %s: %w", file, errors.New("holds no certificate"))
	}
	c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, pool
	return nil
}

// Names returns the e-mail addresses and the common name of the certificate that
// the client has shown and proved to have, or nothing.
func Names(s tls.ConnectionState) []string {
	if len(s.VerifiedChains) == 0 || len(s.PeerCertificates) == 0 {
		return nil
	}
	leaf := s.PeerCertificates[0]
	names := append([]string(nil), leaf.EmailAddresses...)
	for _, attribute := range leaf.Subject.Names {
		// emailAddress of RFC 2985 5.2.1, which older certificates have instead.
		if text, ok := attribute.Value.(string); ok && attribute.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}) {
			names = append(names, text)
		}
	}
	names = append(names, leaf.Subject.CommonName)
	var usable []string
	for _, name := range names {
		if name != "" && len(name) <= 320 && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			usable = append(usable, name)
		}
	}
	return usable[:min(len(usable), maxNames)]
}
