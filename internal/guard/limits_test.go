package guard

import (
	"context"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

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

// TestSurplusRecipients: a long list sent without waiting gets what is allowed;
// an endless one ends.
func TestSurplusRecipients(t *testing.T) {
	s := start(t, func(o *setting) { o.limits.Recipients = 100 })
	c := dial(t, s)
	c.ehlo()
	c.send("MAIL FROM:<a@x.test>\r\n" + strings.Repeat("RCPT TO:<b@y.test>\r\n", 200) + "DATA\r\n")
	c.want("250*")
	for n := range 200 {
		if n < 100 {
			c.want("250 2.1.5*")
		} else {
			c.want("452 4.5.3*")
		}
	}
	c.want("354*")
	c.send("x\r\n.\r\n")
	c.want("250 2.0.0*")
	c.transaction()
	c.send(strings.Repeat("RCPT TO:<b@y.test>\r\n", 199+hardErrors))
	for range 99 {
		c.want("250*")
	}
	for range 100 + hardErrors {
		c.want("452*")
	}
	c.want("421 4.7.0*")
	c.wantEnd()
}

// TestTemporaryIsNoFault: our own failures are not held against the client.
func TestTemporaryIsNoFault(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	c.open()
	for range hardErrors + 1 {
		c.dialog("C: RCPT TO:<broken@y.test>\nS: 451*")
	}
	c.dialog("C: NOOP\nS: 250*")
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
	for range idleCommands + 3 {
		c.send("NOOP\r\n")
		c.want("250*")
	}
	c.send("NOOP\r\n")
	c.want("421 4.7.0 mx.test too many commands")
	c.wantEnd()
}

// TestClientThatNeverReads: one that only sends is given up when its replies
// have found no room for a Timeout, although it never falls silent.
func TestClientThatNeverReads(t *testing.T) {
	s := start(t, func(o *setting) {
		o.limits.Timeout = time.Second
		o.limits.Recipients = 1 << 30 // so that it does not end for its many commands
		o.listen = func(l net.Listener) net.Listener { return narrow{l} }
	})
	c := dial(t, s)
	c.conn.(*net.TCPConn).SetReadBuffer(4096)
	go func() {
		for many := strings.Repeat("NOOP\r\n", 10000); ; {
			if _, err := io.WriteString(c.conn, many); err != nil {
				return
			}
		}
	}()
	if got := s.end(); got != "connection broken" {
		t.Errorf("got reason %q, want connection broken", got)
	}
}

// narrow accepts connections that keep few replies for a client.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err == nil {
		c.(*net.TCPConn).SetWriteBuffer(4096)
	}
	return c, err
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

// TestRoom: root gets in when everybody else has filled the place.
func TestRoom(t *testing.T) {
	relay := netip.MustParseAddr("192.0.2.1")
	g := &Guard{o: Options{Trusted: func(ip netip.Addr) bool { return ip == relay }}, slots: newSlots()}
	for _, c := range []struct {
		p           Peer
		total, each int
	}{
		{Peer{UID: 0}, 0, 0}, {Peer{UID: 1000}, 10, 2}, {Peer{UID: -1, Addr: relay}, 10, 0},
		{Peer{UID: -1, Addr: netip.MustParseAddr("192.0.2.2")}, 10, 2},
	} {
		if total, each := g.room(c.p, Limits{Connections: 10, PerClient: 2}); total != c.total || each != c.each {
			t.Errorf("%v: got %d and %d, want %d and %d", c.p, total, each, c.total, c.each)
		}
	}
}

func TestSlots(t *testing.T) {
	s := newSlots()
	peer := func(ip string) Peer { return Peer{addrOf(&net.TCPAddr{IP: net.ParseIP(ip)}), -1} }
	v6 := peer("2001:db8::1")
	same := peer("2001:db8::ffff")
	other := peer("2001:db8:0:1::1")
	if s.enter(v6, 3, 1) != "" || s.enter(same, 3, 1) == "" || s.enter(other, 3, 1) != "" {
		t.Error("want one connection for each /64")
	}
	if s.enter(other, 2, 0) == "" || s.enter(other, 3, 0) != "" {
		t.Error("want the total limit only")
	}
	one, two := Peer{UID: 1000}, Peer{UID: 1001}
	if s.enter(one, 9, 1) != "" || s.enter(two, 9, 1) != "" || s.enter(one, 9, 1) == "" {
		t.Error("want one connection for each uid")
	}
	for _, p := range []Peer{v6, other, other, one, two} {
		s.leave(p)
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
	if got := s.crash(); !strings.Contains(got, "fake.Mail") {
		t.Errorf("got %q, want the stack", got)
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
	if got := s.crash(); !strings.Contains(got, "TestPanicInGuard") {
		t.Errorf("got %q, want the stack", got)
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
	busy.send("y\r\n.\r\nMAIL FROM:<late@x.test>\r\n")
	busy.want("250 2.0.0 ID queued", "421 4.3.2*")
	busy.wantEnd()
	busy.conn.Close()
	<-stopped
	if got := matching(s.Calls(), "mail late"); len(got) != 0 {
		t.Errorf("got %q, want nothing begun that was pipelined behind", got)
	}
	if got := matching(s.Calls(), "data"); len(got) != 1 || got[0] != `data "x\r\ny\r\n"` {
		t.Errorf("got %q, want the message", got)
	}
}

// TestStopHandshake: a client that does not go on with TLS holds up no stop.
func TestStopHandshake(t *testing.T) {
	s := start(t, func(o *setting) { o.o.Implicit, o.o.Grace = true, time.Hour })
	c := dial(t, s)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		s.g.mu.Lock()
		n := len(s.g.conns)
		s.g.mu.Unlock()
		if n == 1 {
			break
		}
		runtime.Gosched()
	}
	s.stop()
	if _, err := c.r.ReadByte(); err == nil {
		t.Error("got a byte, want the connection closed")
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
