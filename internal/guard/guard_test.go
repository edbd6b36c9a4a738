package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMessage(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	ext := c.ehlo()
	for _, want := range []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "STARTTLS", "SMTPUTF8", "DSN", "SIZE 1048576", "LIMITS RCPTMAX=100"} {
		if !contains(ext, want) {
			t.Errorf("got extensions %q, want %s too", ext, want)
		}
	}
	if got := matching(ext, "AUTH"); got != nil {
		t.Errorf("got %q before TLS, want no AUTH", got)
	}
	c.dialog(`C: MAIL FROM:<a@x.test> SIZE=100 BODY=8BITMIME
		S: 250 2.1.0 sender ok
		C: RCPT TO:<b@y.test>
		S: 250 2.1.5 recipient ok
		C: DATA
		S: 354 *
		C: Subject: hi
		C:
		C: ..dot
		C: .
		S: 250 2.0.0 ID queued
		C: NOOP
		S: 250 *
		C: VRFY ann
		S: 252 *
		C: QUIT
		S: 221 *`)
	c.wantEnd()
	if got := s.end(); got != "quit" {
		t.Errorf("got reason %q, want quit", got)
	}
	want := []string{"mail a@x.test {Size:100 EightBit:true UTF8:false}", "rcpt b@y.test", `data "Subject: hi\r\n\r\n.dot\r\n"`}
	if got := s.Calls(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPipelining: replies to commands that came together go out together.
func TestPipelining(t *testing.T) {
	writes := &counter{}
	s := start(t, func(o *setting) { o.listen = writes.listen })
	c := dial(t, s)
	c.ehlo()
	before := writes.get()
	c.send("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n")
	c.want("250 2.1.0*", "250 2.1.5*", "250 2.1.5*", "354*")
	if got := writes.get() - before; got != 1 {
		t.Errorf("got %d writes, want 1", got)
	}
	c.send("x\r\n.\r\nMAIL FROM:<a@x.test>\r\nRSET\r\nQUIT\r\n")
	c.want("250 2.0.0 ID queued", "250 2.1.0*", "250*", "221*")
}

// TestEverythingAtOnce: a client that waits for nothing, as a script does that is
// sent by nc(1), loses nothing.
func TestEverythingAtOnce(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	c.open()
	c.send("DATA\r\n")
	c.want("354*")
	const others = 20
	rest := strings.Repeat("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nsmall\r\n.\r\n", others)
	c.send(strings.Repeat("large\r\n", 500) + ".\r\n" + rest + "QUIT\r\n")
	c.want("250 2.0.0 ID queued")
	for range others {
		c.want("250 2.1.0*", "250 2.1.5*", "354*", "250 2.0.0 ID queued")
	}
	c.want("221*")
	if got := len(matching(s.Calls(), "data ")); got != 1+others {
		t.Errorf("got %d messages, want %d", got, 1+others)
	}
}

// counter counts the writes of the connections of a listener.
type counter struct {
	net.Listener
	mu sync.Mutex
	n  int
}

func (c *counter) listen(l net.Listener) net.Listener {
	c.Listener = l
	return c
}

func (c *counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	return counted{conn, c}, err
}

func (c *counter) get() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

type counted struct {
	net.Conn
	c *counter
}

func (c counted) Write(p []byte) (int, error) {
	c.c.mu.Lock()
	c.c.n++
	c.c.mu.Unlock()
	return c.Conn.Write(p)
}

// TestStallInData: what comes after a stall in a message is not a command.
func TestStallInData(t *testing.T) {
	for _, over := range []string{"clear", "tls"} {
		for _, begin := range []string{"DATA\r\n", "BDAT 100 LAST\r\n"} {
			t.Run(over+" "+begin[:4], func(t *testing.T) {
				clock := &clock{}
				reading := make(chan struct{})
				s := start(t, clock.stalls, func(o *setting) {
					o.onData = func(_ context.Context, body io.Reader) error {
						_, err := io.ReadFull(body, make([]byte, 3))
						close(reading)
						return err
					}
				})
				c := dial(t, s)
				c.ehlo()
				if over == "tls" {
					c.startTLS()
				}
				c.transaction()
				c.send(begin + "abc")
				if begin == "DATA\r\n" {
					c.want("354*")
				}
				<-reading
				clock.expire()
				c.want("421 4.4.2*")
				// The guard reads on for a moment so that the client sees that reply.
				io.WriteString(c.conn, "\r\n.\r\nMAIL FROM:<smuggled@x.test>\r\nRCPT TO:<b@y.test>\r\n")
				c.wantEnd()
				c.conn.Close()
				if got := s.end(); got != "timeout" {
					t.Errorf("got reason %q, want timeout", got)
				}
				if got := s.Calls(); len(matching(got, "mail")) != 1 || len(matching(got, "data broken")) != 1 {
					t.Errorf("got %q, want one mail and its broken data", got)
				}
			})
		}
	}
}

// clock lets the deadline of the read under way pass, once.
type clock struct {
	net.Listener
	mu   sync.Mutex
	conn net.Conn
	past bool
}

func (k *clock) stalls(o *setting) {
	o.listen = func(l net.Listener) net.Listener {
		k.Listener = l
		return k
	}
}

func (k *clock) Accept() (net.Conn, error) {
	conn, err := k.Listener.Accept()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn = conn
	return clocked{conn, k}, err
}

func (k *clock) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.past = true
	k.conn.SetReadDeadline(time.Unix(1, 0))
}

type clocked struct {
	net.Conn
	k *clock
}

func (c clocked) SetReadDeadline(t time.Time) error {
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	if c.k.past {
		t = time.Unix(1, 0)
	}
	return c.Conn.SetReadDeadline(t)
}

func (c clocked) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.k.mu.Lock()
		c.k.past = false
		c.k.mu.Unlock()
	}
	return n, err
}

func (c clocked) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// TestEndOfData: nothing but CRLF.CRLF ends a message, however it is cut.
func TestEndOfData(t *testing.T) {
	cases := []struct{ name, sent, want string }{
		{"LF dot LF", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n"},
		{"LF dot CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"},
		{"CRLF dot LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n"},
		{"CR dot CR", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n"},
		{"CR dot CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n"},
		{"CRLF dot CR", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n"},
		{"CRLF dot CRCRLF", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n"},
		{"CRLF NUL dot CRLF", "a\r\n\x00.\r\nb\r\n.\r\n", "a\r\n\x00.\r\nb\r\n"},
		{"CRLF dot NUL CRLF", "a\r\n.\x00\r\nb\r\n.\r\n", "a\r\n\x00\r\nb\r\n"},
		{"CRCRLF dot CRLF ends", "a\r\r\n.\r\n", "a\r\r\n"},
		{"dots", "..\r\n...\r\n.a\r\n.\r\n", ".\r\n..\r\na\r\n"},
		{"empty", ".\r\n", ""},
		{"long line", strings.Repeat("x", 300000) + "\r\n.\r\n", strings.Repeat("x", 300000) + "\r\n"},
	}
	for _, cse := range cases {
		t.Run(cse.name, func(t *testing.T) {
			s := start(t)
			c := dial(t, s)
			c.open()
			c.send("DATA\r\n")
			c.want("354*")
			c.send(cse.sent + "QUIT\r\n")
			c.want("250 2.0.0 ID queued", "221*")
			c.wantEnd()
			if got, want := matching(s.Calls(), "data"), fmt.Sprintf("data %q", cse.want); len(got) != 1 || got[0] != want {
				t.Errorf("got %.200q, want %.200q", got, want)
			}
		})
	}
}

// TestReadDeadlines: each read has its own deadline, inside a message too.
func TestReadDeadlines(t *testing.T) {
	d := &deadlines{}
	s := start(t, func(o *setting) { o.listen = d.listen })
	c := dial(t, s)
	c.open()
	c.send("DATA\r\n")
	c.want("354*")
	c.send("x\r\n.\r\n")
	c.want("250*")
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bare > 0 || d.reads < 5 {
		t.Errorf("got %d of %d reads without a new deadline, want 0", d.bare, d.reads)
	}
}

// deadlines notes reads for which no deadline was set since the last one.
type deadlines struct {
	net.Listener
	mu          sync.Mutex
	armed       bool
	reads, bare int
}

func (d *deadlines) listen(l net.Listener) net.Listener {
	d.Listener = l
	return d
}

func (d *deadlines) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	return watched{conn, d}, err
}

type watched struct {
	net.Conn
	d *deadlines
}

func (w watched) SetReadDeadline(t time.Time) error {
	w.d.mu.Lock()
	w.d.armed = time.Until(t) > patience/2 && time.Until(t) <= patience
	w.d.mu.Unlock()
	return w.Conn.SetReadDeadline(t)
}

func (w watched) Read(p []byte) (int, error) {
	w.d.mu.Lock()
	w.d.reads++
	if !w.d.armed {
		w.d.bare++
	}
	w.d.armed = false
	w.d.mu.Unlock()
	return w.Conn.Read(p)
}

func TestSessionBound(t *testing.T) {
	s := start(t, func(o *setting) { o.limits.Session = 200 * time.Millisecond })
	c := dial(t, s)
	c.want("220*")
	c.want("421 4.4.2*")
	c.wantEnd()
}
