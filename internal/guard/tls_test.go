package guard

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"posthorn/internal/addr"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestStartTLS(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	c.open()
	ext := c.startTLS()
	if !contains(ext, "AUTH PLAIN LOGIN") || contains(ext, "STARTTLS") {
		t.Errorf("got %q over TLS, want AUTH and no STARTTLS", ext)
	}
	c.dialog(`C: STARTTLS
		S: 503*
		C: DATA
		S: 503 5.5.1*
		C: RCPT TO:<b@y.test>
		S: 503 5.5.1*`)
	c.transaction()
	c.send("DATA\r\n")
	c.want("354*")
	c.send("x\r\n.\r\nQUIT\r\n")
	c.want("250 2.0.0 ID queued", "221*")
	c.wantEnd()
	if got := s.end(); got != "quit" {
		t.Errorf("got reason %q, want quit", got)
	}
}

// TestHelloForgotten: what was said in the clear does not count over TLS
// (RFC 3207 4.2).
func TestHelloForgotten(t *testing.T) {
	c := dial(t, start(t))
	c.ehlo()
	c.send("STARTTLS\r\n")
	c.want("220 2.0.0*")
	c.secure()
	c.dialog("C: MAIL FROM:<a@x.test>\nS: 503 5.5.1*")
}

// TestPipelinedBeforeTLS: commands that came with STARTTLS are never run.
func TestPipelinedBeforeTLS(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	c.ehlo()
	c.send("STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@x.test>\r\nRCPT TO:<b@y.test>\r\n")
	c.want("220 2.0.0*")
	c.secure()
	c.helloAgain()
	c.dialog("C: RCPT TO:<c@y.test>\nS: 503*")
	if got := s.Calls(); len(got) != 0 {
		t.Errorf("got %q, want nothing from before TLS", got)
	}
}

func TestHandshakeFails(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	c.ehlo()
	c.send("STARTTLS\r\n")
	c.want("220 2.0.0*")
	c.send("this is no handshake, and long enough to be seen as none\r\n")
	io.ReadAll(c.r)
	if got := s.end(); !strings.HasPrefix(got, "tls handshake failed") {
		t.Errorf("got reason %q", got)
	}
}

func TestImplicitTLS(t *testing.T) {
	s := start(t, func(o *setting) { o.o.Implicit = true })
	c := dial(t, s)
	c.secure()
	ext := c.ehlo()
	if !contains(ext, "AUTH PLAIN LOGIN") || contains(ext, "STARTTLS") {
		t.Errorf("got %q, want AUTH and no STARTTLS", ext)
	}
	c.transaction()
}

func TestNoTLS(t *testing.T) {
	s := start(t, func(o *setting) { o.o.TLS = nil })
	c := dial(t, s)
	if ext := c.ehlo(); contains(ext, "STARTTLS") {
		t.Errorf("got %q, want no STARTTLS", ext)
	}
	c.dialog("C: STARTTLS\nS: 502*\nC: NOOP\nS: 250*")
}

func TestSessionSeesTLS(t *testing.T) {
	seen := make(chan string, 1)
	s := start(t, func(o *setting) {
		inner := o.o.Open
		o.o.Open = func(c *Conn) Session { return observer{inner(c), c, seen} }
	})
	c := dial(t, s)
	c.ehlo()
	c.startTLS()
	c.transaction()
	if got, want := <-seen, "client.test true 127.0.0.1 26 TLS1.3 TLS_"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// observer notes what a session sees of its connection at Mail.
type observer struct {
	Session
	c    *Conn
	seen chan string
}

func (o observer) Mail(context.Context, addr.Address, MailParams) error {
	o.seen <- fmt.Sprintf("%s %v %s %d %s", o.c.Helo(), o.c.ESMTP(), o.c.Client(), len(o.c.SID()), o.c.TLS())
	return nil
}

func TestAuth(t *testing.T) {
	cases := []struct{ name, script, call string }{
		{"plain", "C: AUTH PLAIN " + b64("\x00ann\x00secret") + "\nS: 235 2.7.0*", "login ann secret"},
		{"plain, lower case", "C: auth plain " + b64("ann\x00ann\x00secret") + "\nS: 235 2.7.0*", "login ann secret"},
		{"plain in two steps", "C: AUTH PLAIN\nS: 334 *\nC: " + b64("\x00ann\x00secret") + "\nS: 235*", "login ann secret"},
		{"login", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + b64("ann") + "\nS: 334 UGFzc3dvcmQ6\nC: " + b64("secret") + "\nS: 235*", "login ann secret"},
		{"login with user", "C: AUTH LOGIN " + b64("ann") + "\nS: 334 UGFzc3dvcmQ6\nC: " + b64("secret") + "\nS: 235*", "login ann secret"},
		{"wrong", "C: AUTH PLAIN " + b64("\x00ann\x00wrong") + "\nS: 535 5.7.8*", "login ann wrong"},
		{"directory down", "C: AUTH PLAIN " + b64("\x00ann\x00later") + "\nS: 454 4.3.0 local problem*", "login ann later"},
		{"two parts", "C: AUTH PLAIN " + b64("ann\x00secret") + "\nS: 501 5.5.2*", ""},
		{"four parts", "C: AUTH PLAIN " + b64("\x00ann\x00secret\x00") + "\nS: 501 5.5.2*", ""},
		{"empty response", "C: AUTH PLAIN =\nS: 501 5.5.2*", ""},
		{"not base64", "C: AUTH PLAIN x!\nS: 501 5.5.2*", ""},
		{"not base64, second step", "C: AUTH PLAIN\nS: 334 *\nC: x!\nS: 501 5.5.2*\nC: NOOP\nS: 250*", ""},
		{"cancelled", "C: AUTH LOGIN\nS: 334*\nC: *\nS: 501*\nC: NOOP\nS: 250*", ""},
		{"unknown", "C: AUTH CRAM-MD5\nS: 504 5.5.4*", ""},
		{"none", "C: AUTH\nS: 501*", ""},
		{"too many words", "C: AUTH PLAIN x x\nS: 501*", ""},
		{"twice", "C: AUTH PLAIN " + b64("\x00ann\x00secret") + "\nS: 235*\nC: AUTH PLAIN " + b64("\x00ann\x00secret") + "\nS: 503*", "login ann secret"},
		{"in a transaction", "C: MAIL FROM:<a@x.test>\nS: 250*\nC: AUTH PLAIN\nS: 503*", ""},
	}
	for _, cse := range cases {
		t.Run(cse.name, func(t *testing.T) {
			s := start(t, func(o *setting) { o.o.Implicit = true })
			c := dial(t, s)
			c.secure()
			c.ehlo()
			c.dialog(cse.script)
			if got := matching(s.Calls(), "login"); strings.Join(got, ";") != cse.call {
				t.Errorf("got %q, want %q", got, cse.call)
			}
		})
	}
}

func TestAuthFailuresEnd(t *testing.T) {
	s := start(t, func(o *setting) { o.o.Implicit = true })
	c := dial(t, s)
	c.secure()
	c.ehlo()
	for range failedLogins {
		c.dialog("C: AUTH PLAIN " + b64("\x00ann\x00wrong") + "\nS: 535*")
	}
	c.want("421 4.7.0*")
	c.wantEnd()
}

// TestAuthFailuresAddUp: a message between them does not make failed logins
// forgotten.
func TestAuthFailuresAddUp(t *testing.T) {
	c := dial(t, start(t, func(o *setting) { o.o.Implicit = true }))
	c.secure()
	c.ehlo()
	wrong := "C: AUTH PLAIN " + b64("\x00ann\x00wrong") + "\nS: 535*"
	for range failedLogins - 1 {
		c.dialog(wrong)
	}
	c.transaction()
	c.dialog("C: DATA\nS: 354*\nC: x\nC: .\nS: 250 2.0.0*")
	c.dialog(wrong)
	c.want("421 4.7.0 mx.test too many failed logins")
	c.wantEnd()
}

func TestAuthRequired(t *testing.T) {
	s := start(t, func(o *setting) { o.o.RequireAuth = true })
	c := dial(t, s)
	c.ehlo()
	c.dialog("C: MAIL FROM:<a@x.test>\nS: 530 5.7.0 say STARTTLS*")
	c.startTLS()
	c.dialog("C: MAIL FROM:<a@x.test>\nS: 530 5.7.0 auth*\nC: AUTH PLAIN " + b64("\x00ann\x00secret") + "\nS: 235*")
	c.transaction()
}

func TestNoAuth(t *testing.T) {
	s := start(t, func(o *setting) { o.o.Implicit, o.o.Auth = true, false })
	c := dial(t, s)
	c.secure()
	if got := matching(c.ehlo(), "AUTH"); got != nil {
		t.Errorf("got %q, want no AUTH", got)
	}
	c.dialog("C: AUTH PLAIN\nS: 502*")
}

func TestBDAT(t *testing.T) {
	cases := []struct{ name, sent, replies, data string }{
		{"one", "BDAT 4 LAST\r\na\r\n\x00NOOP\r\n", "250 2.0.0 ID queued;250 *", `data "a\r\n\x00"`},
		{"two", "BDAT 3\r\na\r\nBDAT 3 last\r\nb\r\nNOOP\r\n", "250 2.0.0 chunk*;250 2.0.0 ID queued;250 *", `data "a\r\nb\r\n"`},
		{"dot", "BDAT 8 LAST\r\na\r\n.\r\n\r\n", "250 2.0.0 ID queued", `data "a\r\n.\r\n\r\n"`},
		{"empty last", "BDAT 3\r\na\r\nBDAT 0 LAST\r\n", "250 2.0.0 chunk*;250 2.0.0 ID queued", `data "a\r\n"`},
		{"empty first", "BDAT 0\r\nBDAT 0\r\nBDAT 3 LAST\r\na\r\n", "250*;250*;250 2.0.0 ID queued", `data "a\r\n"`},
		{"NOOP between", "BDAT 3\r\na\r\nNOOP\r\nBDAT 0 LAST\r\n", "250*;250*;250 2.0.0 ID queued", `data "a\r\n"`},
		{"MAIL between", "BDAT 3\r\na\r\nMAIL FROM:<b@x.test>\r\nBDAT 0 LAST\r\n", "250*;503*;250 2.0.0 ID queued", `data "a\r\n"`},
		{"DATA between", "BDAT 3\r\na\r\nDATA\r\nBDAT 0 LAST\r\n", "250*;503*;250 2.0.0 ID queued", `data "a\r\n"`},
		{"RSET between", "BDAT 3\r\na\r\nRSET\r\nDATA\r\nNOOP\r\n", "250 2.0.0 chunk*;250 2.0.0 reset;503*;250*", "data broken"},
		{"QUIT between", "BDAT 3\r\na\r\nQUIT\r\n", "250 2.0.0 chunk*;221*;END", "data broken"},
		{"malformed", "BDAT x\r\nMAIL FROM:<evil@x.test>\r\n", "501*;421*;END", ""},
		{"signed", "BDAT +3\r\nabc", "501*;421*;END", ""},
		{"negative", "BDAT -3\r\nabc", "501*;421*;END", ""},
		{"two words", "BDAT 3 LAST LAST\r\nabc", "501*;421*;END", ""},
		{"wrong word", "BDAT 3 FIRST\r\nabc", "501*;421*;END", ""},
		{"malformed second", "BDAT 3\r\na\r\nBDAT 3 x\r\nMAIL FROM:<evil@x.test>\r\n", "250*;501*;421*;END", "data broken"},
		{"huge", "BDAT 99999999999\r\n", "552 5.3.4*;421*;END", ""},
		{"too much in all", "BDAT 900\r\n" + strings.Repeat("x", 900) + "BDAT 900 LAST\r\n" + strings.Repeat("y", 900) + "NOOP\r\n", "250*;552 5.3.4*;250*", "data broken"},
	}
	for _, cse := range cases {
		for _, over := range []string{"clear", "starttls"} {
			t.Run(cse.name+" "+over, func(t *testing.T) {
				s := start(t, func(o *setting) { o.limits.MessageSize = 1000 })
				c := dial(t, s)
				c.ehlo()
				if over == "starttls" {
					c.startTLS()
				}
				c.transaction()
				c.send(cse.sent)
				for _, want := range strings.Split(cse.replies, ";") {
					if want == "END" {
						c.wantEnd()
						break
					}
					c.want(want)
				}
				if got := strings.Join(matching(s.Calls(), "data"), ";"); got != cse.data {
					t.Errorf("got %q, want %q", got, cse.data)
				}
				if got := matching(s.Calls(), "mail evil"); got != nil {
					t.Errorf("got %q: a chunk was run as commands", got)
				}
			})
		}
	}
}

// TestBDATEndless: a message of nothing but empty chunks ends.
func TestBDATEndless(t *testing.T) {
	for _, cmd := range []string{"BDAT 0\r\n", "NOOP\r\n", "MAIL FROM:<>\r\n"} {
		s := start(t, func(o *setting) { o.limits.Recipients = 1 })
		c := dial(t, s)
		c.open()
		c.send("BDAT 1\r\nx")
		c.want("250*")
		go io.WriteString(c.conn, strings.Repeat(cmd, idleCommands+4))
		for {
			if l := c.reply(); strings.HasPrefix(l, "421 4.7.0") {
				break
			}
		}
		c.wantEnd()
	}
}

// TestBDATUnwanted: a chunk that comes at the wrong time is read away.
func TestBDATUnwanted(t *testing.T) {
	s := start(t)
	c := dial(t, s)
	c.ehlo()
	c.send("BDAT 24 LAST\r\nMAIL FROM:<evil@x.test>\nNOOP\r\n")
	c.want("503*", "250*")
	if got := s.Calls(); len(got) != 0 {
		t.Errorf("got %q, want nothing", got)
	}
}

// TestHostileStreams: what is said without end ends, and nothing else breaks.
func TestHostileStreams(t *testing.T) {
	s := start(t, func(o *setting) { o.limits.MessageSize = 10000 })
	for _, stream := range []string{"NOOP\r\n", "x", "BDAT 0\r\n", "\r\n", "\x00", "RCPT TO:<nobody@x.test>\r\n"} {
		c := dial(t, s)
		go io.Copy(io.Discard, c.conn)
		chunk := strings.Repeat(stream, 10000)
		for range 1000 {
			if _, err := io.WriteString(c.conn, chunk); err != nil {
				break
			}
		}
		c.conn.Close()
		s.end()
	}
}

func FuzzDialogue(f *testing.F) {
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"))
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nBDAT 3\r\nabcBDAT 0 LAST\r\n"))
	f.Add([]byte("HELO x\r\nAUTH PLAIN\r\n=\r\nSTARTTLS\r\n"))
	f.Add([]byte("BDAT 10\r\n1234567890RSET\r\nNOOP\r\n\xff\x00\n"))
	f.Add([]byte("LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"))
	f.Add([]byte("LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<b@y.test>\r\nBDAT 1\r\nxRSET\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := start(t, func(o *setting) {
			o.limits.MessageSize = 10000
			o.o.Implicit, o.o.TLS = false, &tls.Config{}
			if bytes.HasPrefix(text, []byte("LHLO")) {
				lmtp(saved, full)(o)
			}
		})
		c := dial(t, s)
		go func() {
			c.conn.Write(text)
			c.conn.(interface{ CloseWrite() error }).CloseWrite()
		}()
		io.Copy(io.Discard, c.r)
		c.conn.Close()
		s.end()
		s.stop()
		if len(s.crashes) > 0 {
			t.Errorf("crashed: %s", <-s.crashes)
		}
	})
}

func FuzzParams(f *testing.F) {
	f.Add(" SIZE=100 BODY=8BITMIME SMTPUTF8")
	f.Add(" A=\x00")
	f.Add(" RET=FULL ENVID=a+20b NOTIFY=SUCCESS,DELAY ORCPT=utf-8;j\\x{FC}")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseParams(text)
		if err != nil {
			return
		}
		m, rest, err := p.mail(true)
		if err == nil && m.Size < 0 {
			t.Errorf("%q: got size %d", text, m.Size)
		}
		p.rcpt(true, true)
		again, err := parseParams(rest.String())
		if err != nil || again.String() != rest.String() {
			t.Errorf("%q: %q is not read back: %v", text, rest, err)
		}
	})
}
