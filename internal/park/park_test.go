package park

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

const limit = 20 * time.Second // for what a test waits for

func open(t *testing.T) *Lot {
	t.Helper()
	l, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// pair returns both ends of a connection.
func pair(t *testing.T) (near *net.TCPConn, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); far.Close() })
	return c.(*net.TCPConn), far
}

// guest is a renter that counts its calls.
type guest struct {
	*Spot
	near   *net.TCPConn
	far    net.Conn
	called chan struct{}
}

func (l *Lot) guest(t *testing.T) *guest {
	t.Helper()
	g := &guest{called: make(chan struct{}, 10)}
	g.near, g.far = pair(t)
	var err error
	if g.Spot, err = l.Rent(g.near, func() { g.called <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	return g
}

// wantCall waits for a call.
func (g *guest) wantCall(t *testing.T, name string) {
	t.Helper()
	select {
	case <-g.called:
	case <-time.After(limit):
		t.Fatalf("%s: got no call", name)
	}
}

// wantNone makes sure that nobody was called: every call that was due before has
// come when the one for another spot has.
func (g *guest) wantNone(t *testing.T, name string) {
	t.Helper()
	other := g.lot.guest(t)
	other.far.Write([]byte("x"))
	if err := other.Park(time.Time{}); err != nil {
		t.Fatal(err)
	}
	other.wantCall(t, "another")
	other.Leave()
	if len(g.called) > 0 {
		t.Errorf("%s: got a call, want none", name)
	}
}

func TestPark(t *testing.T) {
	l := open(t)
	for _, tc := range []struct {
		name          string
		before, after func(g *guest)
		until         time.Duration
	}{
		{name: "read before", before: func(g *guest) { g.far.Write([]byte("x")) }},
		{name: "read after", after: func(g *guest) { g.far.Write([]byte("x")) }},
		{name: "end", after: func(g *guest) { g.far.Close() }},
		{name: "half an end", after: func(g *guest) { g.far.(*net.TCPConn).CloseWrite() }},
		{name: "wake before", before: func(g *guest) { g.Wake() }},
		{name: "wake after", after: func(g *guest) { g.Wake() }},
		{name: "time that is over", until: -time.Second},
		{name: "time", until: time.Millisecond},
	} {
		g := l.guest(t)
		if tc.before != nil {
			tc.before(g)
		}
		var until time.Time
		if tc.until != 0 {
			until = time.Now().Add(tc.until)
		}
		if err := g.Park(until); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if tc.after != nil {
			tc.after(g)
		}
		g.wantCall(t, tc.name)
		if !g.Linger(until) {
			t.Errorf("%s: Linger found nothing to do", tc.name)
		}
		g.Leave()
		g.near.Close()
	}
}

// TestOnce: one call for each Park, and none for who does not park.
func TestOnce(t *testing.T) {
	g := open(t).guest(t)
	g.far.Write([]byte("x"))
	g.wantNone(t, "nobody parked")
	for range 3 {
		if err := g.Park(time.Time{}); err != nil {
			t.Fatal(err)
		}
		g.wantCall(t, "unread")
	}
	g.far.Write([]byte("y"))
	g.Wake()
	g.wantNone(t, "called already")
	if !g.Woken() || g.Woken() {
		t.Error("Woken: got something else than true and then false")
	}
}

// TestLinger: what comes within the moment needs no call.
func TestLinger(t *testing.T) {
	g := open(t).guest(t)
	for name, do := range map[string]func(){
		"read": func() { g.far.Write([]byte("x")) },
		"wake": g.Wake,
	} {
		timer := time.AfterFunc(time.Millisecond, do)
		if !g.Linger(time.Time{}) {
			t.Errorf("%s: got nothing to do", name)
		}
		timer.Stop()
		if name == "read" {
			g.near.Read(make([]byte, 1))
		}
		g.Woken()
	}
	if until := time.Now().Add(time.Millisecond); !g.Linger(until) {
		t.Error("time: got nothing to do")
	}
	if g.Linger(time.Time{}) {
		t.Error("silence: got something to do")
	}
}

func TestLeave(t *testing.T) {
	g := open(t).guest(t)
	if err := g.Park(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	g.Leave()
	g.Leave()
	g.far.Write([]byte("x"))
	g.Wake()
	g.wantNone(t, "after Leave")
}

// TestManyWaitWithoutGoroutines: what is parked has no goroutine, and each finds
// its own.
func TestManyWaitWithoutGoroutines(t *testing.T) {
	l := open(t)
	const n = 200
	var heard atomic.Int32
	var guests []*guest
	for range n {
		g := l.guest(t)
		g.call = func() {
			b := make([]byte, 1)
			if _, err := g.near.Read(b); err == nil && b[0] == 'x' {
				heard.Add(1)
			}
			g.called <- struct{}{}
		}
		guests = append(guests, g)
	}
	before := runtime.NumGoroutine()
	for _, g := range guests {
		if err := g.Park(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if got := runtime.NumGoroutine(); got > before {
		t.Errorf("got %d goroutines for %d that are parked, want none", got-before, n)
	}
	for _, g := range guests {
		g.far.Write([]byte("x"))
	}
	for _, g := range guests {
		g.wantCall(t, "one of many")
	}
	if heard.Load() != n {
		t.Errorf("got %d, want all %d to hear theirs", heard.Load(), n)
	}
}

// TestBusyCallHoldsNobodyUp: the loop waits for no call.
func TestBusyCallHoldsNobodyUp(t *testing.T) {
	l := open(t)
	slow, quick := l.guest(t), l.guest(t)
	hold := make(chan struct{})
	slow.call = func() { <-hold; slow.called <- struct{}{} }
	for _, g := range []*guest{slow, quick} {
		if err := g.Park(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	slow.far.Write([]byte("x"))
	quick.far.Write([]byte("x"))
	quick.wantCall(t, "quick")
	close(hold)
	slow.wantCall(t, "slow")
}

func TestClosed(t *testing.T) {
	l := open(t)
	g := l.guest(t)
	l.Close()
	if err := g.Park(time.Time{}); err == nil {
		t.Error("got a place in a lot that is closed")
	}
	g.Leave()
}

// TestCrew: jobs run at the same time, in goroutines that are used again and then
// end.
func TestCrew(t *testing.T) {
	l := open(t)
	before := runtime.NumGoroutine()
	for range 3 {
		const many = 3 * spare
		begun, end := make(chan bool), make(chan bool)
		for range many {
			l.Run(func() { begun <- true; <-end })
		}
		for range many {
			select {
			case <-begun:
			case <-time.After(limit):
				t.Fatal("a job waits for another")
			}
		}
		if n := runtime.NumGoroutine() - before; n < many {
			t.Errorf("got %d goroutines for %d jobs", n, many)
		}
		close(end)
		wait(t, "more than the spare goroutines", func() bool { return runtime.NumGoroutine()-before <= spare })
	}
	wait(t, "goroutines without work", func() bool { return runtime.NumGoroutine() <= before })
}

// wait waits for the end of what.
func wait(t *testing.T, what string, over func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !over(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there are still %s", what)
		}
	}
}
