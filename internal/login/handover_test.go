package login

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/park"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

func TestPlainConnectionIsPassed(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	c.send("LOGIN ann pw a1\r\nSTAT\r\nQU")
	req, s := in.session(t)
	pending, _ := base64.StdEncoding.DecodeString(req.Get("pending"))
	if got := string(pending); got != "STAT\r\nQU" {
		t.Errorf("pending: got %q", got)
	}
	for name, want := range map[string]string{
		"ticket": "ticket-1", "service": "pop3", "client": "127.0.0.1", "tls": "no", "tag": "a1", "request": "session",
	} {
		if got := req.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := s.conn.RemoteAddr().String(); got != c.conn.LocalAddr().String() {
		t.Errorf("the session has the connection of %s, want the client's own", got)
	}
	s.send("OK\r\n")
	c.want("HELLO", "OK")
	c.send("IT\r\n")
	s.want("IT")
	in.stop() // what was passed on does not end with this process
	c.send("NOOP\r\n")
	s.want("NOOP")
	s.conn.Close()
	c.wantEnd()
}

func TestRelay(t *testing.T) {
	for _, tc := range []struct {
		name  string
		login func(*instance) *client
	}{
		{"implicit TLS", func(in *instance) *client {
			c := dial(t, in.tlsAddr)
			c.startTLS(in.roots)
			c.want("HELLO")
			return c
		}},
		{"STARTTLS", func(in *instance) *client {
			c := dial(t, in.addr)
			c.send("STLS\r\n")
			c.want("HELLO", "BEGIN")
			c.startTLS(in.roots)
			return c
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := start(t, nil)
			c := tc.login(in)
			c.send("LOGIN ann pw a1\r\n")
			req, s := in.session(t)
			if got := req.Get("tls"); got != "yes" {
				t.Errorf("tls: got %q, want yes", got)
			}
			s.send("OK\r\n")
			c.want("OK")
			c.send("one\r\n")
			s.want("one")
			big := strings.Repeat("x", 1<<20)
			go io.WriteString(s.conn, big+"\r\n")
			c.want(big)
			go io.WriteString(c.conn, big+"\r\n")
			s.want(big)
			// Half a close goes through, the other half goes on.
			c.conn.(*tls.Conn).CloseWrite()
			s.wantEnd()
			s.send("last words\r\n")
			s.conn.Close()
			c.want("last words")
			c.wantEnd()
		})
	}
}

func TestRelayEndsWithItsClient(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.tlsAddr)
	c.startTLS(in.roots)
	c.send("LOGIN ann pw a1\r\n")
	_, s := in.session(t)
	c.conn.(*tls.Conn).NetConn().Close()
	s.wantEnd()
	s.conn.Close()
	in.stop() // waits for the relay
}

func TestSessionProgramRefuses(t *testing.T) {
	in := start(t, nil)
	in.say(sock.Reply(verdict.New(verdict.Later, "4.2.0", "busy")))
	c := dial(t, in.addr)
	c.want("HELLO")
	c.send("LOGIN ann pw a\r\n")
	c.want(fmt.Sprintf("FAIL %d busy", Unavailable))
	in.say(append(sock.Reply(verdict.New(verdict.Later, "4.2.0", "busy")), attr.Attr{Name: "reason", Value: "in-use"}))
	c.send("LOGIN ann pw a\r\n")
	c.want(fmt.Sprintf("FAIL %d busy", InUse))
	in.say(sock.Reply(verdict.New(verdict.Never, "5.2.1", "closed")))
	c.send("LOGIN ann pw a\r\n")
	c.want(fmt.Sprintf("FAIL %d closed", Refused))
	in.say(attr.List{{Name: "garbage", Value: "x"}})
	c.send("LOGIN ann pw a\r\n")
	c.want(fmt.Sprintf("FAIL %d mailbox is not available right now, try again later", Unavailable))
	c.send("still\r\n")
	c.want("ECHO still")
}

func TestSessionProgramIsDown(t *testing.T) {
	for _, secure := range []bool{false, true} {
		in := start(t, func(s *Server) { s.session.Path += ".gone" })
		c := dial(t, in.addr)
		c.want("HELLO")
		if secure {
			c.send("STLS\r\n")
			c.want("BEGIN")
			c.startTLS(in.roots)
		}
		c.send("LOGIN ann pw a\r\nstill\r\n")
		c.want(fmt.Sprintf("FAIL %d mailbox is not available right now, try again later", Unavailable), "ECHO still")
	}
}

func TestStopDismissesAndLetsSessionsGoOn(t *testing.T) {
	in := start(t, nil)
	idle := dial(t, in.addr)
	idle.want("HELLO")
	c := dial(t, in.tlsAddr)
	c.startTLS(in.roots)
	c.want("HELLO")
	c.send("LOGIN ann pw a1\r\n")
	_, s := in.session(t)
	s.send("OK\r\n")
	c.want("OK")
	done := make(chan struct{})
	go func() { defer close(done); in.stop() }()
	idle.want("BYE server is stopping, try again later")
	idle.wantEnd()
	c.send("going on\r\n")
	s.want("going on")
	s.conn.Close()
	c.wantEnd()
	c.conn.Close()
	<-done
}

// TestCutAtEveryByte ends the connection after each byte of a dialogue; nothing
// of it stays behind, and only the whole login command is one.
func TestCutAtEveryByte(t *testing.T) {
	const whole = "hi\r\nCOUNT 3\r\nabcLOGIN ann pw a1\r\nSTAT\r\n"
	login := strings.Index(whole, "STAT")
	in := start(t, nil)
	for cut := 0; cut <= len(whole); cut++ {
		c := dial(t, in.addr)
		c.send(whole[:cut])
		c.conn.(*net.TCPConn).CloseWrite()
		if cut >= login {
			_, s := in.session(t)
			s.conn.Close()
		}
		io.Copy(io.Discard, c.r)
		c.conn.Close()
	}
	in.waitFor(t, 0)
	if len(in.sessions) > 0 {
		t.Error("half a command was obeyed")
	}
}

// TestParkedRelay: words pass a relay that is parked, in both directions, and the
// client's records that were large leave nothing behind.
func TestParkedRelay(t *testing.T) {
	in := start(t, func(s *Server) { s.lot.Moment = time.Millisecond })
	if len(in.slack) != 2 {
		t.Error("crypto/tls has other buffers than those that are given up")
	}
	c := dial(t, in.tlsAddr)
	c.startTLS(in.roots)
	c.want("HELLO")
	c.send("LOGIN ann pw a1\r\n")
	_, s := in.session(t)
	for i := range 100 {
		word := strings.Repeat("x", 1+i*200)
		c.send(word + "\r\n")
		s.want(word)
		s.send(word + "\r\n")
		c.want(word)
	}
	s.conn.Close()
	c.wantEnd()
	c.conn.Close()
	in.waitFor(t, 0)
}

// TestIdleRelayHoldsNoBuffer: with nothing to move, a step of the relay returns,
// and the buffer with it.
func TestIdleRelayHoldsNoBuffer(t *testing.T) {
	config, roots := testKeys(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := dial(t, l.Addr().String())
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sk, err := newSocket(nc.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	server := tls.Server(sk, config)
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	c.startTLS(roots)
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	lot, err := park.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer lot.Close()
	spot, err := lot.Rent(sk.stream, func() {})
	if err != nil {
		t.Fatal(err)
	}
	sk.eager = true
	r := &relay{server: &Server{}, client: server, socket: sk, session: ours}
	for range 2 {
		if err := r.moveUp(); err != nil {
			t.Errorf("up: %v", err)
		}
		if err := r.moveDown(); err != nil {
			t.Errorf("down: %v", err)
		}
	}
	c.send("x")
	if !spot.Linger(time.Time{}) {
		t.Fatal("got nothing to read")
	}
	if err := r.moveUp(); err != nil {
		t.Errorf("up: %v", err)
	}
	var got [2]byte
	if n, err := theirs.Read(got[:]); n != 1 || got[0] != 'x' {
		t.Errorf("got %q, %v, want x", got[:n], err)
	}
}
