package client

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"posthorn/internal/addr"
	"posthorn/internal/verdict"
)

const text = "Subject: x\r\n\r\nhello\r\n"

func TestSend(t *testing.T) {
	pipe := hello("PIPELINING", "SIZE 1000", "8BITMIME", "ENHANCEDSTATUSCODES")
	group := "C: MAIL FROM:<a@x.example> SIZE=21\nC: RCPT TO:<b@y.example>\nC: RCPT TO:<c@y.example>\nC: DATA\n"
	tests := []struct {
		name, script, want string
		broken             bool
	}{
		{"one after another", hello() + `
			C: MAIL FROM:<a@x.example>
			S: 250 ok
			C: RCPT TO:<b@y.example>
			S: 250 ok
			C: RCPT TO:<c@y.example>
			S: 251 ok, will forward
			C: DATA
			S: 354 go
			M:
			S: 250 2.6.0 kept as 17`,
			"done 2.6.0 250 2.6.0 kept as 17 | done 2.6.0 250 2.6.0 kept as 17", false},
		{"pipelined", pipe + group + `
			S: 250 ok
			S: 250 ok
			S: 250 ok
			S: 354 go
			M:
			S: 250 kept`,
			"done 2.0.0 250 kept | done 2.0.0 250 kept", false},
		{"pipelined, one refused for good", pipe + group + `
			S: 250 ok
			S: 550-5.1.1 no such
			S: 550 5.1.1 user
			S: 250 ok
			S: 354 go
			M:
			S: 250 kept`,
			"never 5.1.1 550 5.1.1 no such 5.1.1 user | done 2.0.0 250 kept", false},
		{"pipelined, one for now", pipe + group + `
			S: 250 ok
			S: 250 ok
			S: 450 4.2.1 greylisted
			S: 354 go
			M:
			S: 250 kept`,
			"done 2.0.0 250 kept | later 4.2.1 450 4.2.1 greylisted", false},
		{"pipelined, all refused, DATA too", pipe + group + `
			S: 250 ok
			S: 550 no
			S: 553 no
			S: 554 no valid recipients
			C: RSET
			S: 250 ok`,
			"never 5.0.0 550 no | never 5.0.0 553 no", false},
		{"pipelined, all refused, DATA taken", pipe + group + `
			S: 250 ok
			S: 550 no
			S: 450 no
			S: 354 go
			C: .
			S: 554 no valid recipients
			C: RSET
			S: 250 ok`,
			"never 5.0.0 550 no | later 4.0.0 450 no", false},
		{"MAIL refused", pipe + group + `
			S: 550 5.7.1 not you
			S: 503 no
			S: 503 no
			S: 503 no
			C: RSET
			S: 250 ok`,
			"never 5.7.1 550 5.7.1 not you | never 5.7.1 550 5.7.1 not you", false},
		{"MAIL put off, one after another", hello() + `
			C: MAIL FROM:<a@x.example>
			S: 451 4.7.1 later
			C: RSET
			S: 250 ok`,
			"later 4.7.1 451 4.7.1 later | later 4.7.1 451 4.7.1 later", false},
		{"DATA refused", pipe + group + `
			S: 250 ok
			S: 250 ok
			S: 550 no
			S: 451 disk full
			C: RSET
			S: 250 ok`,
			"later 4.0.0 451 disk full | never 5.0.0 550 no", false},
		{"message refused", pipe + group + `
			S: 250 ok
			S: 250 ok
			S: 250 ok
			S: 354 go
			M:
			S: 554 5.7.1 spam`,
			"never 5.7.1 554 5.7.1 spam | never 5.7.1 554 5.7.1 spam", false},
		{"421 in the midst", pipe + group + `
			S: 250 ok
			S: 250 ok
			S: 421 4.3.2 going down
			X`,
			"later 4.3.2 421 4.3.2 going down | later 4.3.2 421 4.3.2 going down", true},
		{"closed after MAIL", hello() + `
			C: MAIL FROM:<a@x.example>
			X`,
			"later 4.4.2 connection lost (MAIL) | later 4.4.2 connection lost (MAIL)", true},
		{"closed after a refusal", pipe + group + `
			S: 250 ok
			S: 550 5.1.1 no
			X`,
			"never 5.1.1 550 5.1.1 no | later 4.4.2 connection lost (RCPT)", true},
		{"closed after the end of the message", pipe + group + `
			S: 250 ok
			S: 550 5.1.1 no
			S: 250 ok
			S: 354 go
			M:
			X`,
			"never 5.1.1 550 5.1.1 no | later 4.4.2 connection lost (end of message) unsure", true},
		{"no SMTP after the end of the message", pipe + group + `
			S: 250 ok
			S: 250 ok
			S: 250 ok
			S: 354 go
			M:
			S: fine by me`,
			"later 4.4.2 the server's reply breaks the rules (end of message) | later 4.4.2 the server's reply breaks the rules (end of message) unsure", true},
		{"552 at RCPT is too many", pipe + group + `
			S: 250 ok
			S: 552 too many recipients
			S: 552 5.2.2 mailbox full
			S: 503 no recipients
			C: RSET
			S: 250 ok`,
			"later 4.5.3 552 too many recipients | never 5.2.2 552 5.2.2 mailbox full", false},
		{"DATA answered by 250", pipe + group + `
			S: 250 ok
			S: 250 ok
			S: 250 ok
			S: 250 ok
			X`,
			"later 4.5.0 unexpected reply: 250 ok | later 4.5.0 unexpected reply: 250 ok", true},
		{"RCPT answered by 354", pipe + group + `
			S: 250 ok
			S: 354 what
			X`,
			"later 4.5.0 unexpected reply: 354 what | later 4.5.0 unexpected reply: 354 what", true},
		{"RSET refused", hello() + `
			C: MAIL FROM:<a@x.example>
			S: 550 no
			C: RSET
			S: 502 no`,
			"never 5.0.0 550 no | never 5.0.0 550 no", true},
		{"status of another class", pipe + group + `
			S: 250 ok
			S: 550 4.1.1 no
			S: 450 5.1.1 no
			S: 554 no
			C: RSET
			S: 250 ok`,
			"never 5.0.0 550 4.1.1 no | later 4.0.0 450 5.1.1 no", false},
		{"too large", hello("SIZE 20"), "never 5.3.4 the message is larger than the host accepts | never 5.3.4 the message is larger than the host accepts", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, wait := scripted(t, tt.script)
			c := greeted(t, address)
			o := c.Send(message(t, text, "b@y.example", "c@y.example"))
			if got := outcome(o); got != tt.want {
				t.Errorf("got  %s\nwant %s (%v)", got, tt.want, o.Err)
			}
			if c.Broken() != tt.broken {
				t.Errorf("broken: got %v, want %v", c.Broken(), tt.broken)
			}
			for _, m := range wait() {
				if m != text+".\r\n" {
					t.Errorf("message: got %q, want %q", m, text+".\r\n")
				}
			}
		})
	}
}

// A host that cannot take the message as it is never sees any of it.
func TestUnfit(t *testing.T) {
	const needs = "never 5.6.9 the message's header needs SMTPUTF8, which the host does not offer"
	mixed := "A: b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Disposition: attachment; filename=\u00e4\r\n\r\nx\r\n--x--\r\n"
	eight := "never 5.6.3 the host does not offer 8BITMIME, and the message has no 7-bit form: 8-bit text in a header"
	tests := []struct {
		name, ext, text, from, rcpt string
		utf8                        bool
		want                        string
	}{
		{"too large when encoded", "SIZE 40", "A: b\r\n\r\n" + strings.Repeat("\xe4", 20) + "\r\n", "a@x.example", "b@y.example", false, "never 5.3.4 the message is larger than the host accepts"},
		{"8-bit header", "PIPELINING", "A: \xe4\r\n\r\nx\r\n", "a@x.example", "b@y.example", false, eight},
		{"UTF-8 sender", "8BITMIME", text, "ä@x.example", "b@y.example", true, "never 5.6.7 the sender's address needs SMTPUTF8, which the host does not offer"},
		{"UTF-8 recipient", "8BITMIME", text, "a@x.example", "ä@y.example", true, "never 5.6.7 the address needs SMTPUTF8, which the host does not offer"},
		{"UTF-8 header declared", "8BITMIME", "A: ä\r\n\r\n", "a@x.example", "b@y.example", true, needs},
		{"UTF-8 header of a part declared", "8BITMIME", mixed, "a@x.example", "b@y.example", true, needs},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, wait := scripted(t, hello(tt.ext))
			c := greeted(t, at)
			m := message(t, tt.text, tt.rcpt)
			m.From, m.UTF8 = address(t, tt.from), tt.utf8
			if got := outcome(c.Send(m)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			wait()
		})
	}
}

// A host without 8BITMIME gets the 7-bit form and nothing else.
func TestSevenBit(t *testing.T) {
	at, wait := scripted(t, hello("PIPELINING", "SIZE 1000")+`
		C: MAIL FROM:<a@x.example> SIZE=126
		C: RCPT TO:<b@y.example>
		C: DATA
		S: 250 ok
		S: 250 ok
		S: 354 go
		M:
		S: 250 ok`)
	m := message(t, "A: b\r\n\r\n.\xe4\r\n", "b@y.example")
	m.EightBit = true
	if got := outcome(greeted(t, at).Send(m)); got != "done 2.0.0 250 ok" {
		t.Errorf("got %s, want done", got)
	}
	want := "A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n..=E4\r\n.\r\n"
	if got := wait(); len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A file that cannot be read is no fault of the message.
func TestSevenBitFileFails(t *testing.T) {
	at, wait := scripted(t, hello())
	m := message(t, "A: b\r\n\r\n\xe4\r\n", "b@y.example")
	m.Open = func() io.Reader { return iotest.ErrReader(errors.New("bad sector")) }
	if got := outcome(greeted(t, at).Send(m)); got != "later 4.3.0 local problem, try again later" {
		t.Errorf("got %s, want later", got)
	}
	wait()
}

func TestUnsafeAddress(t *testing.T) {
	at, wait := scripted(t, hello("PIPELINING"))
	c := greeted(t, at)
	m := message(t, text, "b@y.example")
	m.Rcpts[0].Address = addr.Address{Local: "b>\r\nRSET", Domain: "y.example"}
	if o := c.Send(m); o.Verdicts[0].Kind != verdict.Later {
		t.Errorf("got %s, want later", outcome(o))
	}
	wait()
}

// Two messages over one connection, the first refused in parts.
func TestTwoMessages(t *testing.T) {
	at, wait := scripted(t, hello()+`
		C: MAIL FROM:<a@x.example>
		S: 250 ok
		C: RCPT TO:<b@y.example>
		S: 550 no
		C: RSET
		S: 250 ok
		C: MAIL FROM:<a@x.example>
		S: 250 ok
		C: RCPT TO:<c@y.example>
		S: 250 ok
		C: DATA
		S: 354 go
		M:
		S: 250 ok
		C: QUIT
		S: 221 bye`)
	c := greeted(t, at)
	if got := outcome(c.Send(message(t, text, "b@y.example"))); got != "never 5.0.0 550 no" {
		t.Errorf("first: got %s", got)
	}
	if got := outcome(c.Send(message(t, text, "c@y.example"))); got != "done 2.0.0 250 ok" {
		t.Errorf("second: got %s", got)
	}
	c.Quit()
	wait()
}

// More recipients than one group holds go out in several, each answered.
func TestGroups(t *testing.T) {
	var script strings.Builder
	script.WriteString(hello("PIPELINING", "LIMITS RCPTMAX=1000 X"))
	var rcpts []string
	ok := 1
	script.WriteString("C: MAIL FROM:<a@x.example>\n")
	for range maxGroup + 10 {
		rcpts = append(rcpts, "b@y.example")
		script.WriteString("C: RCPT TO:<b@y.example>\n")
		if ok++; ok == maxGroup {
			script.WriteString(strings.Repeat("S: 250 ok\n", ok))
			ok = 0
		}
	}
	script.WriteString("C: DATA\n" + strings.Repeat("S: 250 ok\n", ok) + "S: 354 go\nM:\nS: 250 ok")
	at, wait := scripted(t, script.String())
	c := greeted(t, at)
	if got := c.MaxRcpts(); got != 1000 {
		t.Errorf("RCPTMAX: got %d, want 1000", got)
	}
	for i, v := range c.Send(message(t, text, rcpts...)).Verdicts {
		if v.Kind != verdict.Done {
			t.Errorf("recipient %d: got %v, want done", i, v)
		}
	}
	wait()
}

// A reply too many would be taken for the answer to the next command, and so on
// for every one after it.
func TestOutOfStep(t *testing.T) {
	at, _ := scripted(t, hello()+dataScript+"M:\nR: 250 kept\\r\\n250 ok\\r\\n")
	c := greeted(t, at)
	if got := outcome(c.Send(message(t, text, "b@y.example"))); got != "done 2.0.0 250 kept" {
		t.Errorf("first: got %s, want done", got)
	}
	o := c.Send(message(t, text, "b@y.example"))
	if o.Verdicts[0].Kind != verdict.Later || !o.Unheard || !c.Broken() {
		t.Errorf("second: got %s, want later and nothing heard", outcome(o))
	}
}
