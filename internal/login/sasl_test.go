package login

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"testing"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestAuthenticate: challenges and responses are passed between the client and
// the directory as they are.
func TestAuthenticate(t *testing.T) {
	in := start(t, nil)
	for _, tc := range []struct {
		name, said string
		want       []string
	}{
		{"unknown", "AUTH NONE", []string{fmt.Sprintf("FAIL %d mechanism is not offered", Unsupported)}},
		{"no name of a mechanism", "AUTH \x00", []string{fmt.Sprintf("FAIL %d mechanism is not offered", Unsupported)}},
		{"not base64", "AUTH ECHO ?", []string{fmt.Sprintf("FAIL %d response is not base64", Malformed)}},
		{"wrong", "AUTH ECHO " + b64("zoe"), []string{fmt.Sprintf("FAIL %d wrong user name or password", Credentials)}},
		{"empty", "AUTH ECHO =", []string{fmt.Sprintf("FAIL %d wrong user name or password", Credentials)}},
		{"senseless", "AUTH ECHO " + b64("bad"), []string{fmt.Sprintf("FAIL %d malformed response", Malformed)}},
		{"directory down", "AUTH DOWN", []string{fmt.Sprintf("FAIL %d login is not possible right now, try again later", Unavailable)}},
		{"cancelled", "AUTH echo\r\n*", []string{"+ " + b64("say ann"), fmt.Sprintf("FAIL %d cancelled", Malformed)}},
		{"not base64 later", "AUTH echo\r\n?", []string{"+ " + b64("say ann"), fmt.Sprintf("FAIL %d response is not base64", Malformed)}},
		{"wrong later", "AUTH echo\r\n" + b64("zoe"), []string{"+ " + b64("say ann"), fmt.Sprintf("FAIL %d wrong user name or password", Credentials)}},
	} {
		c := dial(t, in.addr)
		c.send(tc.said + "\r\nafter\r\n")
		c.want("HELLO")
		c.want(tc.want...)
		c.want("ECHO after")
	}
	for _, said := range []string{"AUTH ECHO " + b64("ann"), "AUTH ECHO\r\n" + b64("ann")} {
		c := dial(t, in.addr)
		c.send(said + "\r\nnext")
		h := <-in.sessions
		h.conn.Close()
		if got := h.req.Get("ticket") + " " + h.req.Get("tag") + " " + h.req.Get("pending"); got != "ticket-1 t "+b64("next") {
			t.Errorf("%q: got %q handed over", said, got)
		}
	}
}

// TestWrongResponsesEnd: as wrong passwords do.
func TestWrongResponsesEnd(t *testing.T) {
	c := dial(t, start(t, nil).addr)
	c.want("HELLO")
	for range maxFailures {
		c.send("AUTH ECHO " + b64("zoe") + "\r\n")
		c.want(fmt.Sprintf("FAIL %d wrong user name or password", Credentials))
	}
	c.wantEnd()
}

// TestMechanisms: channel binding is offered where there is a channel.
func TestMechanisms(t *testing.T) {
	in := start(t, nil)
	c := dial(t, in.addr)
	c.send("MECHS\r\n")
	c.want("HELLO", "[PLAIN]")
	conn, err := tls.Dial("tcp", in.tlsAddr, &tls.Config{RootCAs: in.roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	s := newClient(t, conn)
	s.send("MECHS\r\n")
	s.want("HELLO", "[PLAIN SCRAM-SHA-256-PLUS]")
	set := *in.settings.Load()
	set.clear = "no"
	in.settings.Store(&set)
	c.send("MECHS\r\nAUTH ECHO " + b64("ann") + "\r\n")
	c.want("[]", fmt.Sprintf("FAIL %d a password is taken over TLS only", Insecure))
}
