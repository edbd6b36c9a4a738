package client

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"crypto/tls"

	"posthorn/queued/queue-remote/internal/script"
)

// lmtp dials a scripted LMTP server at a Unix socket and says LHLO.
func lmtp(t *testing.T, steps string) (c *Conn, wait func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	s := script.Serve(t, path, tls.Certificate{}, steps)
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c = New(nc, Options{Hostname: "us.example", LMTP: true, Timeout: 5 * time.Second, Grace: time.Second})
	t.Cleanup(c.Close)
	if err := c.Greet(); err != nil {
		t.Fatal(err)
	}
	if err := c.Hello(); err != nil {
		t.Fatal(err)
	}
	return c, func() { t.Helper(); s.Wait(t) }
}

const lhlo = `S: 220 box.example LMTP
	C: LHLO us.example
	S: 250-box.example
	S: 250 PIPELINING
	`

func TestLMTPRepliesForEach(t *testing.T) {
	const three = lhlo + `C: MAIL FROM:<a@x.example>
		C: RCPT TO:<b@y.example>
		C: RCPT TO:<c@y.example>
		C: RCPT TO:<d@y.example>
		C: DATA
		S: 250 ok
		S: 250 ok
		S: 550 5.1.1 who
		S: 250 ok
		S: 354 go
		M:
		`
	for name, c := range map[string]struct{ steps, want string }{
		"each": {"S: 250 2.0.0 saved\nS: 452 4.2.2 full",
			"done 2.0.0 250 2.0.0 saved | never 5.1.1 550 5.1.1 who | later 4.2.2 452 4.2.2 full"},
		"all": {"S: 250 ok\nS: 250 ok\nC: QUIT\nS: 221 bye",
			"done 2.0.0 250 ok | never 5.1.1 550 5.1.1 who | done 2.0.0 250 ok"},
		"lost": {"S: 250 2.0.0 saved\nX",
			"done 2.0.0 250 2.0.0 saved | never 5.1.1 550 5.1.1 who | later 4.4.2 connection lost (end of message) unsure"},
		"left": {"S: 421 4.3.2 going\nX",
			"later 4.3.2 421 4.3.2 going | never 5.1.1 550 5.1.1 who | later 4.4.2 connection lost (end of message) unsure"},
		"nonsense": {"S: 250 2.0.0 saved\nS: hello",
			"done 2.0.0 250 2.0.0 saved | never 5.1.1 550 5.1.1 who | later 4.4.2 the server's reply breaks the rules (end of message) unsure"},
	} {
		c0, wait := lmtp(t, three+c.steps)
		if got := outcome(c0.Send(message(t, text, "b@y.example", "c@y.example", "d@y.example"))); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
		if name == "all" {
			c0.Quit()
		}
		wait()
	}
}

// TestLMTPNobody: a server that asks for a message for nobody gives no reply to
// it, so the connection is of no more use; one that follows the rule is.
func TestLMTPNobody(t *testing.T) {
	const none = lhlo + `C: MAIL FROM:<a@x.example>
		C: RCPT TO:<b@y.example>
		C: DATA
		S: 250 ok
		S: 550 5.1.1 who
		`
	c, wait := lmtp(t, none+"S: 354 go")
	if got := outcome(c.Send(message(t, text, "b@y.example"))); got != "never 5.1.1 550 5.1.1 who" || !c.Broken() {
		t.Errorf("354: got %s, broken %v", got, c.Broken())
	}
	wait()
	c, wait = lmtp(t, none+"S: 503 5.5.1 nobody\nC: RSET\nS: 250 ok")
	if got := outcome(c.Send(message(t, text, "b@y.example"))); got != "never 5.1.1 550 5.1.1 who" || c.Broken() {
		t.Errorf("503: got %s, broken %v", got, c.Broken())
	}
	wait()
}

// TestLMTPIsNotSMTP: a server that knows no LHLO is not asked by HELO.
func TestLMTPIsNotSMTP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := script.Serve(t, path, tls.Certificate{}, "S: 220 mx.example ESMTP\nC: LHLO us.example\nS: 500 what")
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c := New(nc, Options{Hostname: "us.example", LMTP: true, Timeout: 5 * time.Second})
	defer c.Close()
	if err := c.Greet(); err != nil {
		t.Fatal(err)
	}
	if err := c.Hello(); err == nil || err.Error() != "LHLO: 500 what" {
		t.Errorf("got %v, want the refusal of LHLO", err)
	}
	s.Wait(t)
}
