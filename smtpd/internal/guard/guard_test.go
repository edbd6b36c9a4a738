package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/verdict"
)

func TestMessage(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	ext := c.ehlo()
	for _, want := range []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "STARTTLS", "SMTPUTF8", "SIZE 1048576", "LIMITS RCPTMAX=100"} {
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
		t.Run(over, func(t *testing.T) {
			s := start(t, func(o *setting) { o.limits.Timeout = 300 * time.Millisecond })
			c := dial(t, s)
			c.ehlo()
			if over == "tls" {
				c.startTLS()
			}
			c.transaction()
			c.send("DATA\r\n")
			c.want("354*")
			c.send("Subject: stalls\r\n")
			c.want("421 4.4.2*")
			// The guard reads on for a moment so that the client sees that reply.
			io.WriteString(c.conn, "\r\n.\r\nMAIL FROM:<smuggled@x.test>\r\nRCPT TO:<b@y.test>\r\n")
			c.wantEnd()
			c.conn.Close()
			if got := s.end(); got != "timeout" {
				t.Errorf("got reason %q, want timeout", got)
			}
			if got := s.Calls(); contains(got, "mail smuggled@x.test {}") || len(matching(got, "mail")) != 1 || len(matching(got, "data broken")) != 1 {
				t.Errorf("got %q, want one mail and its broken data", got)
			}
		})
	}
}

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

func TestPaths(t *testing.T) {
	cases := []struct{ cmd, reply, call string }{
		{`MAIL FROM:<"v@internal.test"@y.test>`, "250", `mail "v@internal.test"@y.test {Size:0 EightBit:false UTF8:false}`},
		{`MAIL FROM:<v@internal.test@y.test>`, "501 5.1.7", ""},
		{`MAIL FROM:<"x> NOTIFY=NEVER"@y.test>`, "250", `mail "x> NOTIFY=NEVER"@y.test {Size:0 EightBit:false UTF8:false}`},
		{`MAIL FROM:a@y.test`, "501 5.1.7", ""},
		{`MAIL FROM: <a@y.test>`, "250", "mail a@y.test {Size:0 EightBit:false UTF8:false}"},
		{`mail from:<A@Y.Test>`, "250", "mail A@y.test {Size:0 EightBit:false UTF8:false}"},
		{`MAIL FROM:<a@y..test>`, "501 5.1.7", ""},
		{`MAIL FROM:<a@[127.0.0.1>`, "501 5.1.7", ""},
		{"MAIL FROM:<a@y\x00.test>", "500 5.5.2", ""},
		{"MAIL FROM:<a@y\r.test>", "500 5.5.2", ""},
		{`MAIL FROM:<a@>`, "501 5.1.7", ""},
		{`MAIL FROM:<Postmaster>`, "501 5.1.7", ""},
		{`MAIL FROM:<>`, "250", "mail  {Size:0 EightBit:false UTF8:false}"},
		{`MAIL TO:<a@y.test>`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=1048577`, "552 5.3.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=99999999999`, "552 5.3.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=99999999999999999999`, "552 5.3.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=x`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=1 SIZE=2`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test>SIZE=1`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test> BODY=WHAT`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test> BODY=BINARYMIME`, "504 5.5.4", ""},
		{`MAIL FROM:<a@y.test> WHAT=1`, "500 5.5.4", ""},
		{"MAIL FROM:<ü@y.test>", "553 5.6.7", ""},
		{"MAIL FROM:<ü@y.test> SMTPUTF8", "250", "mail ü@y.test {Size:0 EightBit:false UTF8:true}"},
	}
	for _, cse := range cases {
		s := start(t)
		c := dial(t, s)
		c.ehlo()
		c.send(cse.cmd + "\r\n")
		c.want(cse.reply + "*")
		got := s.Calls()
		if cse.call == "" && len(got) > 0 || cse.call != "" && !contains(got, cse.call) {
			t.Errorf("%q: got calls %q, want %q", cse.cmd, got, cse.call)
		}
		c.conn.Close()
		s.stop()
	}
	rcpts := []struct{ cmd, reply, call string }{
		{`RCPT TO:<Postmaster>`, "250", "rcpt postmaster"},
		{`RCPT TO:<postMASTER>`, "250", "rcpt postmaster"},
		{`RCPT TO:<@a.test,@b.test:u@y.test>`, "250", "rcpt u@y.test"},
		{`RCPT TO:<"a b"@y.test>`, "250", `rcpt "a b"@y.test`},
		{`RCPT TO:<>`, "501 5.1.3", ""},
		{`RCPT TO:<a>`, "501 5.1.3", ""},
		{`RCPT TO:<a@y.test> NOTIFY=NEVER`, "555 5.5.4", ""},
		{`RCPT FROM:<a@y.test>`, "501 5.5.4", ""},
		{`RCPT TO:<nobody@y.test>`, "550 5.1.1 no such??user", "rcpt nobody@y.test"},
		{`RCPT TO:<broken@y.test>`, "451 4.3.0 local problem", "rcpt broken@y.test"},
	}
	s := start(t)
	c := dial(t, s)
	c.open()
	for _, cse := range rcpts {
		before := len(s.Calls())
		c.send(cse.cmd + "\r\n")
		c.want(cse.reply + "*")
		got := s.Calls()[before:]
		if strings.Join(got, "") != cse.call {
			t.Errorf("%q: got calls %q, want %q", cse.cmd, got, cse.call)
		}
	}
}

func TestOrder(t *testing.T) {
	cases := []struct{ name, script string }{
		{"nested MAIL", "C: EHLO x\nC: MAIL FROM:<a@x.test>\nS: 250 2.1.0*\nC: MAIL FROM:<b@x.test>\nS: 503 5.5.1*\nC: RSET\nS: 250*\nC: MAIL FROM:<b@x.test>\nS: 250*"},
		{"EHLO ends the transaction", "C: EHLO x\nC: MAIL FROM:<a@x.test>\nS: 250 2.1.0*\nC: HELO y\nS: 250 mx.test\nC: RCPT TO:<b@x.test>\nS: 503*"},
		{"MAIL first", "C: MAIL FROM:<a@x.test>\nS: 503 5.5.1*"},
		{"RCPT first", "C: EHLO x\nC: RCPT TO:<a@x.test>\nS: 503 5.5.1*"},
		{"DATA first", "C: EHLO x\nC: MAIL FROM:<a@x.test>\nS: 250 2.1.0*\nC: DATA\nS: 503 5.5.1*"},
		{"DATA with argument", "C: EHLO x\nC: DATA x\nS: 501*"},
		{"no good recipient", "C: EHLO x\nC: MAIL FROM:<a@x.test>\nS: 250 2.1.0*\nC: RCPT TO:<nobody@x.test>\nS: 550*\nC: DATA\nS: 503*"},
		{"STARTTLSfoo", "C: STARTTLSfoo\nS: 500*"},
		{"STARTTLS foo", "C: STARTTLS foo\nS: 501*"},
		{"EHLO alone", "C: EHLO\nS: 501*"},
		{"EHLO eight bit", "C: EHLO \xff\nS: 501*"},
		{"AUTH in clear", "C: EHLO x\nC: AUTH PLAIN AGEAYg==\nS: 530*"},
		{"unknown", "C: WHAT\nS: 500*\nC: \nS: 500*\nC: HELP\nS: 214*\nC: EXPN x\nS: 502*"},
	}
	for _, cse := range cases {
		t.Run(cse.name, func(t *testing.T) {
			c := dial(t, start(t))
			c.want("220*")
			if rest, ok := strings.CutPrefix(cse.script, "C: EHLO x\n"); ok {
				c.send("EHLO client.test\r\n")
				for l := ""; !strings.HasPrefix(l, "250 "); l = c.reply() {
				}
				cse.script = rest
			}
			c.dialog(cse.script)
		})
	}
}

func TestLines(t *testing.T) {
	t.Run("bare LF", func(t *testing.T) {
		c := dial(t, start(t))
		c.want("220*")
		c.send("NOOP\nNOOP\r\n")
		c.want("500 5.5.2*", "250*")
	})
	t.Run("bare LF allowed", func(t *testing.T) {
		c := dial(t, start(t, func(o *setting) { o.limits.BareLF = true }))
		c.want("220*")
		c.send("NOOP\n")
		c.want("250*")
	})
	t.Run("long", func(t *testing.T) {
		s := start(t)
		c := dial(t, s)
		c.want("220*")
		c.send("NOOP " + strings.Repeat("x", 5000) + "\r\n")
		c.want("250*")
		c.send("NOOP " + strings.Repeat("x", maxLine) + "\r\nNOOP\r\n")
		c.want("500 5.5.2*", "421 4.7.0*")
		c.wantEnd()
	})
	t.Run("web browser", func(t *testing.T) {
		c := dial(t, start(t))
		c.want("220*")
		c.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@x.test>\r\n")
		c.want("500*", "421*")
		c.wantEnd()
	})
}

func TestSize(t *testing.T) {
	s := start(t, func(o *setting) { o.limits.MessageSize = 1000 })
	c := dial(t, s)
	c.ehlo()
	exact := strings.Repeat("x", 998) + "\r\n"
	c.transaction()
	c.send("DATA\r\n")
	c.want("354*")
	c.send(exact + ".\r\n")
	c.want("250*")
	c.transaction()
	c.send("DATA\r\n")
	c.want("354*")
	c.send("y" + exact + ".\r\nNOOP\r\n")
	c.want("552 5.3.4*", "250*")
	if got := matching(s.Calls(), "data broken"); len(got) != 1 {
		t.Errorf("got %q, want one refused message", got)
	}
	// Far too much is not read to its end.
	c.transaction()
	c.send("DATA\r\n")
	c.want("354*")
	c.send(strings.Repeat(exact, 4) + ".\r\nNOOP\r\n")
	c.want("552 5.3.4*", "421*")
	c.wantEnd()
}

func TestRecipients(t *testing.T) {
	c := dial(t, start(t, func(o *setting) { o.limits.Recipients = 2 }))
	c.open()
	c.dialog("C: RCPT TO:<c@y.test>\nS: 250*\nC: RCPT TO:<d@y.test>\nS: 452 4.5.3*\nC: RSET\nS: 250*")
	c.transaction()
}

// TestUnclassified: a bug does not bounce mail and tells nothing.
func TestUnclassified(t *testing.T) {
	c := dial(t, start(t, func(o *setting) {
		o.onData = func(context.Context, io.Reader) error { return errors.New("open /var/spool/secret") }
	}))
	c.open()
	c.send("DATA\r\n")
	c.want("354*")
	c.send("x\r\n.\r\nNOOP\r\n")
	c.want("451 4.3.0 local problem, try again later", "250*")
}

// TestRefusedMessage: what is refused early is read to its end, so that its rest
// is not taken for commands.
func TestRefusedMessage(t *testing.T) {
	s := start(t, func(o *setting) {
		o.onData = func(context.Context, io.Reader) error {
			return verdict.Fail(verdict.Never, "5.4.6", "loop", nil)
		}
	})
	c := dial(t, s)
	c.open()
	c.send("DATA\r\n")
	c.want("354*")
	c.send("MAIL FROM:<b@x.test>\r\nRSET\r\n.\r\nNOOP\r\n")
	c.want("554 5.4.6 loop", "250*")
}

func TestErrorsSlowAndEnd(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	c.open()
	for range hardErrors {
		c.dialog("C: RCPT TO:<nobody@y.test>\nS: 550*")
	}
	c.want("421 4.7.0*")
	c.wantEnd()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waits) != hardErrors-softErrors || s.waits[0] != time.Second || s.waits[1] != 2*time.Second || s.waits[len(s.waits)-1] != maxWait {
		t.Errorf("got waits %v, want them to grow from 1s to %v", s.waits, maxWait)
	}
}

// TestSlowedClientBlocksNobody: while one client's reply is held back another is
// served.
func TestSlowedClientBlocksNobody(t *testing.T) {
	held := make(chan struct{}, 1)
	s := start(t, func(o *setting) {
		o.o.Sleep = func(ctx context.Context, _ time.Duration) {
			held <- struct{}{}
			<-ctx.Done()
		}
		o.o.Grace = 0
	})
	slow := dial(t, s)
	slow.want("220*")
	slow.send(strings.Repeat("WHAT\r\n", softErrors+1))
	<-held
	c := dial(t, s)
	c.open()
	slow.conn.Close()
}

func TestCommandsEnd(t *testing.T) {
	s := start(t, func(o *setting) { o.limits.Recipients = 1 })
	c := dial(t, s)
	c.want("220*")
	for range idleCommands + 2 {
		c.send("NOOP\r\n")
		c.want("250*")
	}
	c.send("NOOP\r\n")
	c.want("421 4.7.0 mx.test too many commands")
	c.wantEnd()
}

func TestConnectionLimits(t *testing.T) {
	s := start(t, func(o *setting) { o.limits.Connections, o.limits.PerClient = 3, 2 })
	a, b := dial(t, s), dial(t, s)
	a.want("220*")
	b.want("220*")
	c := dial(t, s)
	c.want("421 4.7.0 mx.test too many connections from your address*")
	c.wantEnd()
	a.send("QUIT\r\n")
	a.want("221*")
	s.end()
	d := dial(t, s)
	d.want("220*")
	if s.refused[0] != "too many connections from your address" {
		t.Errorf("got %q", s.refused)
	}
}

func TestSlots(t *testing.T) {
	s := newSlots()
	v6 := addrOf(&net.TCPAddr{IP: net.ParseIP("2001:db8::1")})
	same := addrOf(&net.TCPAddr{IP: net.ParseIP("2001:db8::ffff")})
	other := addrOf(&net.TCPAddr{IP: net.ParseIP("2001:db8:0:1::1")})
	if s.enter(v6, 3, 1) != "" || s.enter(same, 3, 1) == "" || s.enter(other, 3, 1) != "" {
		t.Error("want one connection for each /64")
	}
	if s.enter(other, 2, 0) == "" || s.enter(other, 3, 0) != "" {
		t.Error("want the total limit only")
	}
	for _, ip := range []net.IP{v6.AsSlice(), other.AsSlice(), other.AsSlice()} {
		s.leave(addrOf(&net.TCPAddr{IP: ip}))
	}
	if s.total != 0 || len(s.clients) != 0 {
		t.Errorf("got %d and %v left, want none", s.total, s.clients)
	}
}

// TestPanic: a bug in a session ends its connection only, and is reported with
// its stack.
func TestPanic(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	c.ehlo()
	other := dial(t, s)
	other.ehlo()
	c.send("MAIL FROM:<panic@x.test>\r\n")
	c.want("421*")
	c.wantEnd()
	other.transaction()
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.crashes) != 1 || !strings.Contains(s.crashes[0], "harness_test.go") {
		t.Errorf("got %q, want one stack", s.crashes)
	}
}

// TestPanicInGuard: likewise for a bug of the guard, outside go-smtp's recover.
func TestPanicInGuard(t *testing.T) {
	s := start(t, func(o *setting) {
		o.o.Sleep = func(context.Context, time.Duration) { panic("sleep") }
	})
	c := dial(t, s)
	c.want("220*")
	c.send(strings.Repeat("WHAT\r\n", softErrors+1))
	for range softErrors {
		c.want("500*")
	}
	c.want("421 4.3.0*")
	c.wantEnd()
	c.conn.Close()
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.crashes) != 1 || !strings.Contains(s.crashes[0], "guard_test.go") {
		t.Errorf("got %q, want one stack", s.crashes)
	}
}

// TestStop: an idle client is told to go, a message under way may end.
func TestStop(t *testing.T) {
	reading := make(chan struct{})
	s := start(t, func(o *setting) {
		o.onData = func(_ context.Context, body io.Reader) error {
			close(reading)
			return nil
		}
	})
	idle, busy := dial(t, s), dial(t, s)
	idle.ehlo()
	busy.open()
	busy.send("DATA\r\n")
	busy.want("354*")
	busy.send("x\r\n")
	<-reading
	stopped := make(chan struct{})
	go func() {
		s.stop()
		close(stopped)
	}()
	idle.want("421 4.3.2*")
	idle.wantEnd()
	idle.conn.Close()
	busy.send("y\r\n.\r\n")
	busy.want("250 2.0.0 ID queued", "421 4.3.2*")
	busy.wantEnd()
	busy.conn.Close()
	<-stopped
	if got := matching(s.Calls(), "data"); len(got) != 1 || got[0] != `data "x\r\ny\r\n"` {
		t.Errorf("got %q, want the message", got)
	}
}

// TestStopBound: a message that does not end is given up.
func TestStopBound(t *testing.T) {
	s := start(t, func(o *setting) { o.o.Grace = time.Millisecond })
	c := dial(t, s)
	c.open()
	c.send("DATA\r\n")
	c.want("354*")
	before := runtime.NumGoroutine()
	s.stop()
	if got := runtime.NumGoroutine(); got >= before {
		t.Errorf("got %d goroutines after the stop, %d before", got, before)
	}
	if got := matching(s.Calls(), "data"); len(got) != 1 || got[0] != "data broken" {
		t.Errorf("got %q, want broken data", got)
	}
}
