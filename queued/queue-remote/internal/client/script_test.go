package client

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/handover"
	"posthorn/queued/queue-remote/internal/script"
)

// scripted starts a server without TLS.
func scripted(t *testing.T, steps string, hooks ...func()) (address string, wait func() []string) {
	t.Helper()
	s := script.Serve(t, "127.0.0.1:0", tls.Certificate{}, steps, hooks...)
	return s.Addr, func() []string { t.Helper(); return s.Wait(t) }
}

// hello is the start of a script for greeted; ext are the lines of EHLO.
func hello(ext ...string) string { return script.Hello("us.example", ext...) }

// dial dials a scripted server; tests wait for as long as the server does.
func dial(t *testing.T, address string) *Conn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := New(nc, Options{Hostname: "us.example", Timeout: 5 * time.Second, Grace: time.Second})
	t.Cleanup(c.Close)
	return c
}

// greeted is dial with greeting and EHLO done.
func greeted(t *testing.T, address string) *Conn {
	t.Helper()
	c := dial(t, address)
	if err := c.Greet(); err != nil {
		t.Fatal(err)
	}
	if err := c.Hello(); err != nil {
		t.Fatal(err)
	}
	return c
}

func address(t *testing.T, s string) addr.Address {
	t.Helper()
	a, err := addr.ParseOrNull(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// message is a Message with this text from a@x.example to the recipients.
func message(t *testing.T, text string, rcpts ...string) Message {
	t.Helper()
	m := Message{From: address(t, "a@x.example"), Open: func() io.Reader { return strings.NewReader(text) }}
	var err error
	if m.Content, err = Scan(strings.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
	for _, r := range rcpts {
		m.Rcpts = append(m.Rcpts, handover.Rcpt{Address: address(t, r)})
	}
	return m
}

// outcome is an Outcome as one line: "done 2.0.0 250 ok | never 5.1.1 550 …".
func outcome(o Outcome) string {
	var parts []string
	for _, v := range o.Verdicts {
		parts = append(parts, v.Kind.String()+" "+v.Status+" "+v.Text)
	}
	s := strings.Join(parts, " | ")
	if o.Unsure {
		s += " unsure"
	}
	return s
}
