package login

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestDialogue(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	c.want("HELLO")
	c.send("one\r\ntwo\nCOUNT 5\r\na\r\nb\n")
	c.want("ECHO one", "ECHO two", `GOT "a\r\nb\n"`)
	c.send("QUIT\r\n")
	c.want("BYE")
	c.wantEnd()
}

func TestInjectionBeforeTLSIsDiscarded(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	// One packet: the words behind STLS are in the server's buffer by then.
	c.send("STLS\r\nLOGIN ann pw evil\r\nECHO\r\n")
	c.want("HELLO", "BEGIN")
	c.startTLS(in.roots)
	c.send("mine\r\n")
	c.want("ECHO mine")
	if len(in.sessions) > 0 {
		t.Error("a login sent in clear before TLS was obeyed")
	}
}

func TestPlaintextLogin(t *testing.T) {
	for _, tc := range []struct {
		clear, client string
		tls, want     bool
	}{
		{"loopback", "127.0.0.1", false, true},
		{"loopback", "127.9.9.9", false, true},
		{"loopback", "::1", false, true},
		{"loopback", "192.0.2.1", false, false},
		{"loopback", "2001:db8::1", false, false},
		{"loopback", "192.0.2.1", true, true},
		{"no", "127.0.0.1", false, false},
		{"no", "127.0.0.1", true, true},
		{"yes", "192.0.2.1", false, true},
	} {
		s := newServer(words{}, nil, people{}, nil)
		s.settings.Store(&settings{clear: tc.clear})
		c := &Conn{server: s, client: netip.MustParseAddr(tc.client)}
		if tc.tls {
			c.tls = &tls.Conn{}
		}
		if got := c.Secure(); got != tc.want {
			t.Errorf("%+v: got %v, want %v", tc, got, tc.want)
		}
		if tc.want {
			continue
		}
		var f *Failure
		if err := c.Login(t.Context(), "ann", "pw", ""); !errors.As(err, &f) || f.Reason != Insecure {
			t.Errorf("%+v: Login: got %v, want Insecure", tc, err)
		}
	}
}

func TestFailures(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	c.want("HELLO")
	c.send("LOGIN down x a\r\nLOGIN locked x a\r\n")
	c.want(fmt.Sprintf("FAIL %d login is not possible right now, try again later", Unavailable),
		fmt.Sprintf("FAIL %d account is disabled", Refused))
	for range maxFailures {
		c.send("LOGIN ann wrong a\r\n")
		c.want(fmt.Sprintf("FAIL %d wrong user name or password", Credentials))
	}
	c.wantEnd()
}

func TestFailureDelayHoldsNobodyElse(t *testing.T) {
	in := start(t, nil)
	slow := dial(t, in.addr)
	slow.send("LOGIN slow wrong a\r\n") // held back for as long as the test runs
	slow.want("HELLO")
	<-in.held
	other := dial(t, in.addr)
	other.send("hi\r\n")
	other.want("HELLO", "ECHO hi")
	in.stop() // and a stop does not wait for it
	slow.want(fmt.Sprintf("FAIL %d wrong user name or password", Credentials), "BYE server is stopping, try again later")
}

func TestWhatNoUserHasIsNotAskedFor(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	c.want("HELLO")
	for _, w := range []string{"down\x00", "down\rx", strings.Repeat("x", 1025)} {
		c.send("LOGIN " + w + " pw a\r\n") // down would be another answer
		c.want(fmt.Sprintf("FAIL %d wrong user name or password", Credentials))
	}
}

func TestLimits(t *testing.T) {
	in := start(t, func(s *Server) {
		set := *s.settings.Load()
		set.perClient = 2
		s.settings.Store(&set)
	})
	a, b := dial(t, in.addr), dial(t, in.addr)
	a.want("HELLO")
	b.want("HELLO")
	c := dial(t, in.addr)
	c.want("BYE too many connections of one client, try again later")
	c.wantEnd()
	d := dial(t, in.tlsAddr) // no words before TLS
	d.wantEnd()
	a.send("QUIT\r\n")
	a.want("BYE")
	a.wantEnd()
	in.waitFor(t, 1)
	dial(t, in.addr).want("HELLO")
}

func TestClientKey(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		if got := clientKey(netip.MustParseAddr(tc.a)) == clientKey(netip.MustParseAddr(tc.b)); got != tc.same {
			t.Errorf("%s and %s: got %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
}

func TestHostileInput(t *testing.T) {
	lines, echoes := "", []string(nil)
	for n := range 5 {
		line := strings.Repeat("x", n*bufferSize+n)
		lines, echoes = lines+line+"\r\n", append(echoes, "ECHO "+line)
	}
	for _, tc := range []struct {
		name, send string
		want       []string
	}{
		{"a line without end", strings.Repeat("x", maxLine+bufferSize), []string{"BYE line too long"}},
		{"the longest line", strings.Repeat("x", maxLine-2) + "\r\nQUIT\r\n", []string{"ECHO " + strings.Repeat("x", maxLine-2), "BYE"}},
		{"lines of every length", lines + "QUIT\r\n", append(echoes, "BYE")},
		{"a bug", "BUG\r\n", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := start(t, nil)
			c := dial(t, in.addr)
			c.want("HELLO")
			c.send(tc.send)
			c.want(tc.want...)
			if tc.name != "a line without end" { // there a reset may come first
				c.wantEnd()
			}
			dial(t, in.addr).want("HELLO")
		})
	}
}

func TestNoTLSWithoutHandshake(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.tlsAddr)
	c.send("USER ann\r\nPASS pw\r\n")
	if rest, _ := io.ReadAll(c.r); strings.Contains(string(rest), "HELLO") {
		t.Errorf("got %q in clear", rest)
	}
	in.stop()
	if !strings.Contains(in.log.String(), "handshake-failed sid=") {
		t.Errorf("log: got %q, want handshake-failed", in.log)
	}
}

func TestSilence(t *testing.T) {
	in := start(t, func(s *Server) {
		set := *s.settings.Load()
		set.timeout = 20 * time.Millisecond
		s.settings.Store(&set)
	})
	c := dial(t, in.addr)
	c.want("HELLO", "BYE login took too long")
	c.wantEnd()
}
