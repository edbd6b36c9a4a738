package login

import (
	"net"
	"runtime"
	"testing"
	"time"
)

// waitParked waits until n clients before their login are parked.
func (in *instance) waitParked(t *testing.T, n int) {
	t.Helper()
	parked := 0
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		parked = 0
		in.mu.Lock()
		for c := range in.early {
			if c.spot != nil {
				parked++
			}
		}
		in.mu.Unlock()
		if parked == n {
			return
		}
	}
	t.Fatalf("got %d clients parked, want %d", parked, n)
}

// TestSilentCostsNothing: clients that are silent before they log in have no
// goroutines, and are heard when they speak.
func TestSilentCostsNothing(t *testing.T) {
	in := start(t, nil)
	hello := dial(t, in.addr)
	hello.want("HELLO")
	hello.send("one\r\n") // has spoken already
	hello.want("ECHO one")
	encrypted := dial(t, in.tlsAddr)
	encrypted.startTLS(in.roots)
	encrypted.want("HELLO")
	fresh := dial(t, in.tlsAddr)
	half := dial(t, in.addr)
	half.want("HELLO")
	half.send("STLS\r\n")
	half.want("BEGIN") // waits for a handshake: not parked
	in.waitParked(t, 3)

	before := runtime.NumGoroutine()
	var many []*client
	for range 10 {
		many = append(many, dial(t, in.addr), dial(t, in.tlsAddr))
		many[len(many)-2].want("HELLO")
		if len(many) == 16 {
			break // perClient
		}
	}
	in.waitParked(t, 3+len(many))
	for end := time.Now().Add(limit); runtime.NumGoroutine() > before && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if got := runtime.NumGoroutine(); got > before {
		t.Errorf("got %d goroutines for %d silent clients, want none", got-before, len(many))
	}

	fresh.startTLS(in.roots)
	fresh.want("HELLO")
	half.startTLS(in.roots)
	for _, c := range []*client{hello, encrypted, fresh, half} {
		c.send("two\r\nth")
		c.want("ECHO two")
		c.send("ree\r\nLOGIN ann pw a1\r\n")
		c.want("ECHO three")
		_, s := in.session(t)
		s.send("in\r\n")
		c.want("in")
		s.conn.Close()
		c.wantEnd()
	}
}

// TestSilentTooLong: the time of a login is over for those who are parked, too.
func TestSilentTooLong(t *testing.T) {
	in := start(t, func(s *Server) { s.settings.Load().timeout = 2 * moment })
	plain, fresh := dial(t, in.addr), dial(t, in.tlsAddr)
	plain.want("HELLO", "BYE login took too long")
	plain.wantEnd()
	fresh.wantEnd()
	in.waitFor(t, 0)
}

// TestHandshakeBegun: who has sent one byte of a handshake is one connection of its
// address and of all, as who is silent is, until the time of a login is over.
func TestHandshakeBegun(t *testing.T) {
	for name, bound := range map[string]func(*settings){
		"of one client": func(s *settings) { s.perClient = 3 },
		"in total":      func(s *settings) { s.connections = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			in := start(t, func(s *Server) { bound(s.settings.Load()) })
			var begun []*client
			for range 3 {
				c := dial(t, in.tlsAddr)
				c.send("\x16")
				begun = append(begun, c)
			}
			in.waitFor(t, 3)
			dial(t, in.tlsAddr).wantEnd() // one too many
			begun[0].conn.Close()
			in.waitFor(t, 2)
			c := dial(t, in.tlsAddr)
			c.startTLS(in.roots)
			c.want("HELLO")
		})
	}
}

// TestHandshakeTrickles: a client cannot put the end of its time off octet by octet.
func TestHandshakeTrickles(t *testing.T) {
	in := start(t, func(s *Server) { s.settings.Load().timeout = 2 * moment })
	c := dial(t, in.tlsAddr)
	go func() {
		// A record of 16 KiB that would come for minutes.
		for _, err := c.conn.Write([]byte("\x16\x03\x01\x40\x00")); err == nil; _, err = c.conn.Write([]byte{0}) {
			time.Sleep(moment / 10)
		}
	}()
	c.wantEnd()
	in.waitFor(t, 0)
}

// TestStopEndsSilent: who is parked hears that the server stops.
func TestStopEndsSilent(t *testing.T) {
	in := start(t, nil)
	plain, encrypted, fresh := dial(t, in.addr), dial(t, in.tlsAddr), dial(t, in.tlsAddr)
	plain.want("HELLO")
	encrypted.startTLS(in.roots)
	encrypted.want("HELLO")
	in.waitParked(t, 3)
	in.stop()
	for _, c := range []*client{plain, encrypted} {
		c.want("BYE server is stopping, try again later")
		c.wantEnd()
	}
	fresh.wantEnd()
}

// TestSilentGone: a client that leaves while it is parked is counted no more.
func TestSilentGone(t *testing.T) {
	in := start(t, nil)
	var conns []net.Conn
	for _, addr := range []string{in.addr, in.tlsAddr} {
		conns = append(conns, dial(t, addr).conn)
	}
	in.waitParked(t, 2)
	for _, conn := range conns {
		conn.Close()
	}
	in.waitFor(t, 0)
}
