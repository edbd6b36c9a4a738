package guard

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"posthorn/internal/verdict"
)

func TestPaths(t *testing.T) {
	cases := []struct{ cmd, reply, call string }{
		{`MAIL FROM:<"v@internal.test"@y.test>`, "250", `mail "v@internal.test"@y.test {Size:0 EightBit:false UTF8:false}`},
		{`MAIL FROM:<v@internal.test@y.test>`, "501 5.1.7", ""},
		{`MAIL FROM:<"x> NOTIFY=NEVER"@y.test>`, "250", `mail "x> NOTIFY=NEVER"@y.test {Size:0 EightBit:false UTF8:false}`},
		{`MAIL FROM:a@y.test`, "501 5.1.7", ""},
		{`MAIL FROM: <a@y.test>`, "250", "mail a@y.test {Size:0 EightBit:false UTF8:false}"},
		{`mail from:<A@Y.Test>`, "250", "mail A@y.test {Size:0 EightBit:false UTF8:false}"},
		{`MAIL FROM:<a@y..test>`, "501 5.1.7", ""},
		{`MAIL FROM:<a@[127.0.0.1>`, "501 5.1.7", ""},
		{"MAIL FROM:<a@y\x00.test>", "500 5.5.2", ""},
		{"MAIL FROM:<a@y\r.test>", "500 5.5.2", ""},
		{`MAIL FROM:<a@>`, "501 5.1.7", ""},
		{`MAIL FROM:<Postmaster>`, "501 5.1.7", ""},
		{`MAIL FROM:<>`, "250", "mail  {Size:0 EightBit:false UTF8:false}"},
		{`MAIL TO:<a@y.test>`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=1048577`, "552 5.3.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=99999999999`, "552 5.3.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=99999999999999999999`, "552 5.3.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=x`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test> SIZE=1 SIZE=2`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test>SIZE=1`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test> BODY=WHAT`, "501 5.5.4", ""},
		{`MAIL FROM:<a@y.test> BODY=BINARYMIME`, "504 5.5.4", ""},
		{`MAIL FROM:<a@y.test> WHAT=1`, "555 5.5.4", ""},
		{"MAIL FROM:<ü@y.test>", "553 5.6.7", ""},
		{"MAIL FROM:<ü@y.test> SMTPUTF8", "250", "mail ü@y.test {Size:0 EightBit:false UTF8:true}"},
		{"MAIL FROM:<a@bücher.test>", "553 5.6.7", ""},
		{"MAIL FROM:<a@bücher.test> SMTPUTF8", "250", "mail a@xn--bcher-kva.test {Size:0 EightBit:false UTF8:true}"},
		{"MAIL FROM:<\xfc@y.test> SMTPUTF8", "501 5.1.7", ""},
		{"MAIL FROM:<a@y.test> SMTPUTF8=yes", "501 5.5.4", ""},
		{"MAIL FROM:<a@y.test> RET=hdrs ENVID=a+20b", "250", "mail a@y.test {Size:0 EightBit:false UTF8:false} {Ret:hdrs Envid:a b}"},
		{"MAIL FROM:<a@y.test> RET=ALL", "501 5.5.4", ""},
		{"MAIL FROM:<a@y.test> RET", "501 5.5.4", ""},
		{"MAIL FROM:<a@y.test> RET=FULL RET=HDRS", "501 5.5.4", ""},
		{"MAIL FROM:<a@y.test> ENVID=" + strings.Repeat("x", 100), "250", "mail a@y.test {Size:0 EightBit:false UTF8:false} {Ret: Envid:" + strings.Repeat("x", 100) + "}"},
		{"MAIL FROM:<a@y.test> ENVID=" + strings.Repeat("x", 101), "501 5.5.4", ""},
		{"MAIL FROM:<a@y.test> ENVID=a+zz", "501 5.5.4", ""},
		{"MAIL FROM:<a@y.test> ENVID=a+0A", "501 5.5.4", ""},
		{"MAIL FROM:<a@y.test> ENVID", "501 5.5.4", ""},
		{"MAIL FROM:<a@y.test> NOTIFY=NEVER", "555 5.5.4", ""},
	}
	for _, cse := range cases {
		s := start(t)
		c := dial(t, s)
		c.ehlo()
		c.send(cse.cmd + "\r\n")
		c.want(cse.reply + "*")
		got := s.Calls()
		if cse.call == "" && len(got) > 0 || cse.call != "" && !contains(got, cse.call) {
			t.Errorf("%q: got calls %q, want %q", cse.cmd, got, cse.call)
		}
		c.conn.Close()
		s.stop()
	}
	rcpts := []struct{ cmd, reply, call string }{
		{`RCPT TO:<Postmaster>`, "250", "rcpt postmaster"},
		{`RCPT TO:<postMASTER>`, "250", "rcpt postmaster"},
		{`RCPT TO:<@a.test,@b.test:u@y.test>`, "250", "rcpt u@y.test"},
		{`RCPT TO:<"a b"@y.test>`, "250", `rcpt "a b"@y.test`},
		{`RCPT TO:<>`, "501 5.1.3", ""},
		{`RCPT TO:<a>`, "501 5.1.3", ""},
		{`RCPT TO:<a@y.test> NOTIFY=NEVER ORCPT=rfc822;b+2Bc@z.test`, "250", "rcpt a@y.test {Orcpt:rfc822;b+c@z.test Notify:never}"},
		{`RCPT TO:<a@y.test> notify=Success,DELAY,failure`, "250", "rcpt a@y.test {Orcpt: Notify:success,failure,delay}"},
		{`RCPT TO:<a@y.test> ORCPT=strange-type;x`, "250", "rcpt a@y.test {Orcpt:strange-type;x Notify:}"},
		{`RCPT TO:<a@y.test> ORCPT=utf-8;j\x{FC}@z.test`, "250", "rcpt a@y.test {Orcpt:utf-8;jü@z.test Notify:}"},
		{"RCPT TO:<a@y.test> ORCPT=utf-8;jü@z.test", "501 5.5.4", ""},
		{"RCPT TO:<ü@y.test>", "553 5.6.7", ""},
		{"RCPT TO:<a@bücher.test>", "553 5.6.7", ""},
		{`RCPT TO:<a@y.test> NOTIFY=NEVER,FAILURE`, "501 5.5.4", ""},
		{`RCPT TO:<a@y.test> NOTIFY=SOMETIMES`, "501 5.5.4", ""},
		{`RCPT TO:<a@y.test> NOTIFY`, "501 5.5.4", ""},
		{`RCPT TO:<a@y.test> NOTIFY=DELAY NOTIFY=DELAY`, "501 5.5.4", ""},
		{`RCPT TO:<a@y.test> ORCPT=a@z.test`, "501 5.5.4", ""},
		{`RCPT TO:<a@y.test> ORCPT=rfc822;a+4`, "501 5.5.4", ""},
		{`RCPT TO:<a@y.test> ORCPT=rfc822;` + strings.Repeat("x", 500), "501 5.5.4", ""},
		{`RCPT TO:<a@y.test> RET=FULL`, "555 5.5.4", ""},
		{`RCPT FROM:<a@y.test>`, "501 5.5.4", ""},
		{`RCPT TO:<nobody@y.test>`, "550 5.1.1 no such??user", "rcpt nobody@y.test"},
		{`RCPT TO:<broken@y.test>`, "451 4.3.0 local problem", "rcpt broken@y.test"},
	}
	s := start(t)
	c := dial(t, s)
	c.open()
	for _, cse := range rcpts {
		before := len(s.Calls())
		c.send(cse.cmd + "\r\n")
		c.want(cse.reply + "*")
		got := s.Calls()[before:]
		if strings.Join(got, "") != cse.call {
			t.Errorf("%q: got calls %q, want %q", cse.cmd, got, cse.call)
		}
	}
}

func TestOrder(t *testing.T) {
	cases := []struct{ name, script string }{
		{"nested MAIL", "C: EHLO x\nC: MAIL FROM:<a@x.test>\nS: 250 2.1.0*\nC: MAIL FROM:<b@x.test>\nS: 503 5.5.1*\nC: RSET\nS: 250*\nC: MAIL FROM:<b@x.test>\nS: 250*"},
		{"EHLO ends the transaction", "C: EHLO x\nC: MAIL FROM:<a@x.test>\nS: 250 2.1.0*\nC: HELO y\nS: 250 mx.test\nC: RCPT TO:<b@x.test>\nS: 503*"},
		{"MAIL first", "C: MAIL FROM:<a@x.test>\nS: 503 5.5.1*"},
		{"RCPT first", "C: EHLO x\nC: RCPT TO:<a@x.test>\nS: 503 5.5.1*"},
		{"DATA first", "C: EHLO x\nC: MAIL FROM:<a@x.test>\nS: 250 2.1.0*\nC: DATA\nS: 503 5.5.1*"},
		{"DATA with argument", "C: EHLO x\nC: DATA x\nS: 501*"},
		{"no good recipient", "C: EHLO x\nC: MAIL FROM:<a@x.test>\nS: 250 2.1.0*\nC: RCPT TO:<nobody@x.test>\nS: 550*\nC: DATA\nS: 503*"},
		{"STARTTLSfoo", "C: STARTTLSfoo\nS: 500*"},
		{"STARTTLS foo", "C: STARTTLS foo\nS: 501*"},
		{"EHLO alone", "C: EHLO\nS: 501*"},
		{"EHLO eight bit", "C: EHLO \xff\nS: 501*"},
		{"AUTH in clear", "C: EHLO x\nC: AUTH PLAIN AGEAYg==\nS: 530*"},
		{"unknown", "C: WHAT\nS: 500*\nC: \nS: 500*\nC: HELP\nS: 214*\nC: EXPN x\nS: 502*"},
	}
	for _, cse := range cases {
		t.Run(cse.name, func(t *testing.T) {
			c := dial(t, start(t))
			c.want("220*")
			if rest, ok := strings.CutPrefix(cse.script, "C: EHLO x\n"); ok {
				c.send("EHLO client.test\r\n")
				for l := ""; !strings.HasPrefix(l, "250 "); l = c.reply() {
				}
				cse.script = rest
			}
			c.dialog(cse.script)
		})
	}
}

func TestLines(t *testing.T) {
	t.Run("bare LF", func(t *testing.T) {
		c := dial(t, start(t))
		c.want("220*")
		c.send("NOOP\nNOOP\r\n")
		c.want("500 5.5.2*", "250*")
	})
	t.Run("bare LF allowed", func(t *testing.T) {
		c := dial(t, start(t, func(o *setting) { o.limits.BareLF = true }))
		c.want("220*")
		c.send("NOOP\n")
		c.want("250*")
	})
	t.Run("long", func(t *testing.T) {
		s := start(t)
		c := dial(t, s)
		c.want("220*")
		c.send("NOOP " + strings.Repeat("x", 5000) + "\r\n")
		c.want("250*")
		c.send("NOOP " + strings.Repeat("x", maxLine) + "\r\nNOOP\r\n")
		c.want("500 5.5.2*", "421 4.7.0*")
		c.wantEnd()
	})
	t.Run("web browser", func(t *testing.T) {
		c := dial(t, start(t))
		c.want("220*")
		c.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@x.test>\r\n")
		c.want("500*", "421*")
		c.wantEnd()
	})
}

func TestSize(t *testing.T) {
	s := start(t, func(o *setting) { o.limits.MessageSize = 1000 })
	c := dial(t, s)
	c.ehlo()
	exact := strings.Repeat("x", 998) + "\r\n"
	c.transaction()
	c.send("DATA\r\n")
	c.want("354*")
	c.send(exact + ".\r\n")
	c.want("250*")
	c.transaction()
	c.send("DATA\r\n")
	c.want("354*")
	c.send("y" + exact + ".\r\nNOOP\r\n")
	c.want("552 5.3.4*", "250*")
	if got := matching(s.Calls(), "data broken"); len(got) != 1 {
		t.Errorf("got %q, want one refused message", got)
	}
	// Far too much is not read to its end.
	c.transaction()
	c.send("DATA\r\n")
	c.want("354*")
	c.send(strings.Repeat(exact, 4) + ".\r\nNOOP\r\n")
	c.want("552 5.3.4*", "421*")
	c.wantEnd()
}

func TestRecipients(t *testing.T) {
	c := dial(t, start(t, func(o *setting) { o.limits.Recipients = 2 }))
	c.open()
	c.dialog("C: RCPT TO:<c@y.test>\nS: 250*\nC: RCPT TO:<d@y.test>\nS: 452 4.5.3*\nC: RSET\nS: 250*")
	c.transaction()
}

// TestUnclassified: a bug does not bounce mail and tells nothing.
func TestUnclassified(t *testing.T) {
	c := dial(t, start(t, func(o *setting) {
		o.onData = func(context.Context, io.Reader) error { return errors.New("open /var/spool/secret") }
	}))
	c.open()
	c.send("DATA\r\n")
	c.want("354*")
	c.send("x\r\n.\r\nNOOP\r\n")
	c.want("451 4.3.0 local problem, try again later", "250*")
}

// TestRefusedMessage: what is refused early is read to its end, so that its rest
// is not taken for commands.
func TestRefusedMessage(t *testing.T) {
	s := start(t, func(o *setting) {
		o.onData = func(context.Context, io.Reader) error {
			return verdict.Fail(verdict.Never, "5.4.6", "loop", nil)
		}
	})
	c := dial(t, s)
	c.open()
	c.send("DATA\r\n")
	c.want("354*")
	c.send("MAIL FROM:<b@x.test>\r\nRSET\r\n.\r\nNOOP\r\n")
	c.want("554 5.4.6 loop", "250*")
}

// TestParametersNotOffered: what is not announced is refused.
func TestParametersNotOffered(t *testing.T) {
	s := start(t, func(set *setting) { set.o.DSN, set.o.SMTPUTF8 = false, false })
	c := dial(t, s)
	if reply := c.ehlo(); strings.Contains(strings.Join(reply, " "), "DSN") || strings.Contains(strings.Join(reply, " "), "SMTPUTF8") {
		t.Errorf("EHLO: got %q", reply)
	}
	for _, cse := range []struct{ cmd, reply string }{
		{"MAIL FROM:<a@y.test> RET=FULL", "504 5.5.4"}, {"MAIL FROM:<a@y.test> ENVID=x", "504 5.5.4"},
		{"MAIL FROM:<a@y.test> SMTPUTF8", "504 5.5.4"}, {"MAIL FROM:<a@y.test>", "250"}, {"RCPT TO:<a@y.test> NOTIFY=NEVER", "555 5.5.4"},
	} {
		c.send(cse.cmd + "\r\n")
		c.want(cse.reply + "*")
	}
}
