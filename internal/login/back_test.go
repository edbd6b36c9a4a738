package login

import (
	"encoding/base64"
	"net"
	"os"
	"strings"
	"testing"

	"posthorn/internal/attr"
	"posthorn/internal/sock"
)

// Resume speaks with a client that came back.
func (words) Resume(c *Conn) Dialogue { return talk{c} }

// comesBack asks the server to take a client back as its session would.
func (in *instance) comesBack(t *testing.T, conn net.Conn, sid, pending string) string {
	t.Helper()
	var file *os.File
	if conn != nil {
		var err error
		if file, err = conn.(interface{ File() (*os.File, error) }).File(); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	reply := in.takeBack(t.Context(), attr.List{
		{Name: "request", Value: "return"}, {Name: "sid", Value: sid}, {Name: "pending", Value: base64.StdEncoding.EncodeToString([]byte(pending))},
	}, file)
	v, err := sock.Verdict(reply)
	if err != nil {
		t.Fatal(err)
	}
	return v.Kind.String() + " " + v.Text
}

// TestBack gives a client back twice, plain and through a relay, which stays the
// same.
func TestBack(t *testing.T) {
	for _, way := range []string{"plain", "relayed"} {
		t.Run(way, func(t *testing.T) {
			in := start(t, func(s *Server) {
				if way == "relayed" {
					s.settings.Load().clear = "no"
				}
			})
			c := dial(t, map[string]string{"plain": in.addr, "relayed": in.tlsAddr}[way])
			if way == "relayed" {
				c.startTLS(in.roots)
			}
			c.want("HELLO")
			c.send("LOGIN ann pw a1\r\n")
			for range 2 {
				req, s := in.session(t)
				if got, want := req.Get("tls") == "yes", way == "relayed"; got != want || req.Get("client") != "127.0.0.1" {
					t.Errorf("got %v", req)
				}
				s.send("bye\r\n")
				c.want("bye")
				if got := in.comesBack(t, s.conn, req.Get("sid"), "some words\r\nSTLS\r\nMECHS\r\nLOG"); !strings.HasPrefix(got, "done") {
					t.Fatalf("got %s", got)
				}
				c.want("ECHO some words", map[string]string{"plain": "BEGIN", "relayed": "NO"}[way])
				if way == "plain" {
					return // TLS begins
				}
				c.want("[PLAIN SCRAM-SHA-256-PLUS]")
				c.send("IN ann no b1\r\nLOGIN ann pw b2\r\n")
				c.want("FAIL 1 wrong user name or password")
			}
			c.conn.Close()
			_, s := in.session(t)
			s.wantEnd()
			s.conn.Close()
			in.waitFor(t, 0)
		})
	}
}

// TestBackRefused: a session cannot make up clients.
func TestBackRefused(t *testing.T) {
	in := start(t, nil)
	for name, tc := range map[string]struct {
		conn         net.Conn
		sid, pending string
		want         string
	}{
		"no descriptor": {nil, "x", "", "later return without a descriptor"},
		"unknown relay": {relayEnd(t), "x", "", "later no relay of that client"},
		"much was read": {relayEnd(t), "x", strings.Repeat("x", bufferSize+1), "later return makes no sense"},
		"no stream":     {packet(t), "x", "", "later descriptor is no stream"},
	} {
		if got := in.comesBack(t, tc.conn, tc.sid, tc.pending); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
	in = start(t, func(s *Server) { s.settings.Load().perClient = 1 })
	c := dial(t, in.addr)
	c.want("HELLO")
	c.send("LOGIN ann pw a1\r\n")
	_, s := in.session(t)
	in.waitFor(t, 0)
	other := dial(t, in.addr)
	other.want("HELLO")
	if got, want := in.comesBack(t, s.conn, "x", ""), "later too many connections of one client"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c.wantEnd()
}

// TestBackCountsOnce: a client behind a relay is one client before and after its
// session gave it back; a second one through the same relay is another.
func TestBackCountsOnce(t *testing.T) {
	in := start(t, func(s *Server) { s.settings.Load().perClient = 1 })
	c := dial(t, in.tlsAddr)
	c.startTLS(in.roots)
	c.want("HELLO")
	c.send("LOGIN ann pw a1\r\n")
	for range 2 {
		req, s := in.session(t)
		s.send("bye\r\n")
		c.want("bye") // the relay goes
		if got := in.comesBack(t, s.conn, req.Get("sid"), "some words\r\n"); got != "done ok" {
			t.Fatalf("got %q, want done", got)
		}
		c.want("ECHO some words")
		if got, want := in.comesBack(t, relayEnd(t), req.Get("sid"), ""), "later too many connections of one client"; got != want {
			t.Errorf("another through the same relay: got %q, want %q", got, want)
		}
		c.send("LOGIN ann pw a2\r\n")
	}
	c.conn.Close()
	_, s := in.session(t)
	s.wantEnd()
	s.conn.Close()
	in.waitFor(t, 0)
}

// relayEnd is a stream such as relays have.
func relayEnd(t *testing.T) net.Conn {
	t.Helper()
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	defer ours.Close()
	conn, err := net.FileConn(ours.File)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// packet is a socket that is no stream.
func packet(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
