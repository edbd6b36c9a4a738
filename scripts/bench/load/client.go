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
	"net"
	"net/smtp"
	"os"
	"time"
)

// Longest time for a connection to be made, and for all that is done on it.
const (
	dialTime    = 10 * time.Second
	sessionTime = 2 * time.Minute
)

// anyCertificate: what is measured is the server, whose certificate is made for
// the occasion.
func anyCertificate() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// dialSMTP returns a session that has said EHLO, over TLS where secure.
func dialSMTP(secure bool) (*smtp.Client, error) {
	conn, err := net.DialTimeout("tcp", smtpAddr, dialTime)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(sessionTime))
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := hello(c, secure); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func hello(c *smtp.Client, secure bool) error {
	if err := c.Hello("client.test"); err != nil || !secure {
		return err
	}
	return c.StartTLS(anyCertificate())
}

// send sends text to all of rcpts; nil is the server's 250.
func send(c *smtp.Client, rcpts []string, text []byte) error {
	if err := c.Mail("sender@client.test"); err != nil {
		return err
	}
	for _, to := range rcpts {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Close()
}

// writeCertificate makes a self-signed key and certificate in one file.
func writeCertificate(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx." + domain},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 2), DNSNames: []string{"mx." + domain}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...)
	return os.WriteFile(file, text, 0o600)
}
