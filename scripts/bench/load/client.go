package main

import (
	"crypto/tls"
	"net"
	"net/smtp"
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
