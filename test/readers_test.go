package test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// dialTLS connects with a deadline for the whole session.
func dialTLS(addr string) (*textproto.Conn, error) {
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return textproto.NewConn(nc), nil
}

// readIMAP returns bob's newest message with the answers around it.
func readIMAP(addr string) (string, error) {
	c, err := dialTLS(addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	var text string
	for _, command := range []string{"LOGIN " + suite.Bob + " " + instance.Password, "SELECT INBOX", "FETCH * BODY.PEEK[]", "LOGOUT"} {
		if err := c.PrintfLine("t1 %s", command); err != nil {
			return "", err
		}
		answer, err := tagged(c)
		if err != nil {
			return "", fmt.Errorf("%s: %w", command, err)
		}
		text += answer
	}
	return text, nil
}

// tagged reads to the tagged answer, which must be OK.
func tagged(c *textproto.Conn) (string, error) {
	var b strings.Builder
	for {
		line, err := c.ReadLine()
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(line, "t1 OK"):
			return b.String(), nil
		case strings.HasPrefix(line, "t1 "):
			return "", errors.New(line)
		}
		b.WriteString(line + "\n")
	}
}
