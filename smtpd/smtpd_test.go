package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/dsn"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/id"
	"posthorn/internal/verdict"
)

const errNoSpace = syscall.ENOSPC

func TestMessage(t *testing.T) {
	r := start(t)
	c := r.dial("smtp")
	reply := c.mail("eve@far.test", "ann@here.test", "Subject: hi\r\n\r\n..dot\r\n", "250 2.0.0 ")
	got := r.bag.last(t)
	mid := got.env.ID
	if !id.Valid(mid) || reply != "250 2.0.0 "+mid+" queued" {
		t.Errorf("got reply %q for id %q", reply, mid)
	}
	want := regexp.MustCompile("^Received: from client\\.test \\(\\[127\\.0\\.0\\.1\\]\\)\r\n\tby mx\\.here\\.test with ESMTP id " + mid +
		"\r\n\tfor <ann@here\\.test>;\r\n\t\\w{3}, \\d\\d \\w{3} \\d{4} [\\d:]{8} [+-]\\d{4}\r\nSubject: hi\r\n\r\n\\.dot\r\n$")
	if !want.MatchString(got.text) {
		t.Errorf("got message %q, want %s", got.text, want)
	}
	e := got.env
	if e.Size != int64(len(got.text)) || e.Origin != "smtp" || e.From.String() != "eve@far.test" || e.Auth != "" ||
		e.Client != "127.0.0.1" || e.Helo != "client.test" || e.Body != "7bit" || e.UTF8 || len(e.Rcpts) != 1 {
		t.Errorf("got envelope %+v", e)
	}
	c.do("QUIT", "221 ")
	for _, want := range []string{"accepted id=" + mid + " sid=", "from=eve@far.test nrcpt=1 size="} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("got log %q, want %q in it", r.log, want)
		}
	}
}

func TestSubmission(t *testing.T) {
	for _, service := range []string{"submission", "submissions"} {
		t.Run(service, func(t *testing.T) {
			r := start(t)
			c := r.dial(service)
			with := "ESMTPSA"
			if service == "submission" {
				c.do("AUTH PLAIN AGFubgBzZWNyZXQ=", "530 ")
				c.do("MAIL FROM:<ann@here.test>", "530 ")
				c.startTLS()
			}
			c.do("MAIL FROM:<ann@here.test>", "530 5.7.0")
			c.auth()
			if got, want := r.people.asked[0], "login smtp PLAIN ann 127.0.0.1 tls=true 32"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			c.do("MAIL FROM:<bob@here.test>", "550 5.7.1")
			c.mail("", "eve@far.test", "x: y\r\n\r\n", "250 ")
			c.mail("ann@here.test", "eve@far.test", "From: ann@here.test\r\nSubject: x\r\n\r\nhi\r\n", "250 ")
			got := r.bag.last(t)
			if got.env.Auth != "ann@here.test" || got.env.Origin != "submission" || !strings.Contains(got.text, " with "+with+" id ") || !strings.Contains(got.text, "(TLS1.3 TLS_") {
				t.Errorf("got %+v and %q", got.env, got.text)
			}
			head, _, _ := strings.Cut(got.text, "\r\n\r\n")
			if !regexp.MustCompile("\r\nSubject: x\r\nDate: [^\r]+\r\nMessage-ID: <[a-z0-9]{26}@mx.here.test>$").MatchString(head) {
				t.Errorf("got header %q, want Date and Message-ID at its end", head)
			}
			c.mail("ann@here.test", "ann@here.test", "Date: now\r\nmessage-id: <a@b>\r\n\r\nhi\r\n", "250 ")
			if got := r.bag.last(t).text; strings.Count(got, "Date:") != 1 || strings.Contains(got, "Message-ID:") {
				t.Errorf("got %q, want nothing added", got)
			}
		})
	}
}

// TestPort25AddsNothing: what strangers send is not completed.
func TestPort25AddsNothing(t *testing.T) {
	r := start(t)
	c := r.dial("smtp")
	c.mail("eve@far.test", "ann@here.test", "Subject: x\r\n\r\nhi\r\n", "250 ")
	if got := r.bag.last(t).text; strings.Contains(got, "Date:") || strings.Contains(got, "Message-ID:") {
		t.Errorf("got %q, want nothing added", got)
	}
	c.do("AUTH PLAIN AGFubgBzZWNyZXQ=", "502 ")
}

func TestWrongPassword(t *testing.T) {
	r := start(t)
	c := r.dial("submissions")
	c.do("AUTH PLAIN AGFubgB3cm9uZw==", "535 5.7.8 wrong user or password")
	if got := r.log.String(); !strings.Contains(got, "login-failed sid=") || strings.Contains(got, "wrong\n") {
		t.Errorf("got log %q", got)
	}
}

func TestDuplicates(t *testing.T) {
	r := start(t)
	c := r.dial("smtp")
	c.do("MAIL FROM:<eve@far.test>", "250 ")
	c.do("RCPT TO:<ann@here.test>", "250 ")
	c.do("RCPT TO:<ann@HERE.test>", "250 ")
	c.do("RCPT TO:<Postmaster>", "250 ")
	c.do("DATA", "354 ")
	c.do("x: y\r\n.", "250 ")
	got := r.bag.last(t)
	if len(got.env.Rcpts) != 2 || strings.Contains(got.text, "for <") {
		t.Errorf("got %v and %q, want two recipients, none named in the trace line", got.env.Rcpts, got.text)
	}
}

// TestReportsAskedFor: what the sender asks of reports goes into the envelope, on
// every service, and ends with the transaction.
func TestReportsAskedFor(t *testing.T) {
	r := start(t)
	for _, service := range []string{"smtp", "submissions"} {
		c := r.dial(service)
		c.send("EHLO client.test\r\n")
		var offered string
		for line := ""; !strings.HasPrefix(line, "250 "); offered += line + "\n" {
			line = c.line()
		}
		if !strings.Contains(offered, "DSN\n") || !strings.Contains(offered, "SMTPUTF8\n") {
			t.Errorf("%s: got %q, want DSN and SMTPUTF8 offered", service, offered)
		}
		c.do("QUIT", "221 ")
	}
	c := r.dial("smtp")
	c.do("MAIL FROM:<eve@far.test> RET=FULL ENVID=a+20b", "250 ")
	c.do("RCPT TO:<ann@here.test> NOTIFY=NEVER", "250 ")
	c.do("RCPT TO:<ann@here.test> NOTIFY=SUCCESS ORCPT=rfc822;a@far.test", "250 ")
	c.do("RCPT TO:<postmaster@here.test> ORCPT=rfc822;p+2Bq@far.test", "250 ")
	c.do("DATA", "354 ")
	c.do("x: y\r\n.", "250 ")
	got := r.bag.last(t).env
	if got.Mail != (dsn.Mail{Ret: dsn.Full, Envid: "a b"}) || len(got.Rcpts) != 2 ||
		got.Rcpts[0].Rcpt != (dsn.Rcpt{Notify: dsn.Success}) || got.Rcpts[1].Rcpt != (dsn.Rcpt{Orcpt: "rfc822;p+q@far.test"}) {
		t.Errorf("got %+v and %+v", got.Mail, got.Rcpts)
	}
	c.mail("eve@far.test", "ann@here.test", "x: y\r\n", "250 ")
	got = r.bag.last(t).env
	if got.Mail != (dsn.Mail{}) || got.Rcpts[0].Rcpt != (dsn.Rcpt{}) {
		t.Errorf("the next message: got %+v, want nothing asked", got)
	}
	c.do("MAIL FROM:<eve@far.test> SMTPUTF8", "250 ")
	c.do("RCPT TO:<j\u00fcrgen@here.test>", "550 5.1.1") // taken as an address, and unknown
	c.do("RCPT TO:<ann@here.test>", "250 ")
	c.do("DATA", "354 ")
	c.do("x: y\r\n.", "250 ")
	if last := r.bag.last(t); !last.env.UTF8 || !strings.Contains(last.text, "with UTF8SMTP ") {
		t.Errorf("got %+v and %q, want it marked as SMTPUTF8", last.env, last.text)
	}
}

func TestRefusedMessages(t *testing.T) {
	received := func(n int) string { return strings.Repeat("Received: x\r\n", n) + "\r\n" }
	cases := []struct{ name, text, reply string }{
		{"loop", received(11), "554 5.4.6"},
		{"almost a loop", received(10), "250 "},
		{"Received in the body", "\r\n" + received(11), "250 "},
		{"bare LF", "a: b\n\r\n", "554 5.6.0"},
		{"bare CR", "a: b\r\r\n\r\n", "554 5.6.0"},
		{"NUL", "a: b\x00\r\n\r\n", "554 5.6.0"},
		{"smuggled, LF dot LF", "a: b\r\n\r\n\n.\nMAIL FROM:<x@far.test>\r\n", "554 5.6.0"},
		{"smuggled, LF dot CRLF", "a: b\r\n\r\n\n.\r\nMAIL FROM:<x@far.test>\r\n", "554 5.6.0"},
		{"smuggled, CR dot CR", "a: b\r\n\r\n\r.\rMAIL FROM:<x@far.test>\r\n", "554 5.6.0"},
		{"smuggled, CRLF dot LF", "a: b\r\n\r\n.\nMAIL FROM:<x@far.test>\r\n", "554 5.6.0"},
		{"smuggled, NUL", "a: b\r\n\r\n\x00.\r\nMAIL FROM:<x@far.test>\r\n", "554 5.6.0"},
		{"too large", strings.Repeat(strings.Repeat("x", 98)+"\r\n", 1001), "552 5.3.4"},
		{"no header", "just text\r\n", "250 "},
		{"empty", "", "250 "},
	}
	for _, cse := range cases {
		t.Run(cse.name, func(t *testing.T) {
			r := start(t)
			c := r.dial("smtp")
			c.mail("eve@far.test", "ann@here.test", cse.text, cse.reply)
			c.do("NOOP", "250 ")
			if got, want := r.bag.count(), 0; strings.HasPrefix(cse.reply, "5") && got != want {
				t.Errorf("got %d messages, want %d", got, want)
			}
			left, err := os.ReadDir(r.bag.Dir)
			if err != nil || len(left) != 0 {
				t.Errorf("got %v, %v left in the spool, want nothing", left, err)
			}
			if strings.HasPrefix(cse.reply, "5") && !strings.Contains(r.log.String(), "stage=data from=eve@far.test to=ann@here.test verdict=never") {
				t.Errorf("got log %q", r.log)
			}
		})
	}
}

func TestNormalize(t *testing.T) {
	r := start(t, func(c *conf.Config) { c.BareNewline = "normalize" })
	c := r.dial("smtp")
	c.mail("eve@far.test", "ann@here.test", "a: b\nc: d\r\r\n\r\nx\x00\n.\ny\r\n", "250 ")
	if got, want := r.bag.last(t).text, "a: b\r\nc: d \r\n\r\nx\r\n.\r\ny\r\n"; !strings.HasSuffix(got, "\r\n"+want) {
		t.Errorf("got %q, want %q at its end", got, want)
	}
}

func TestHeaderlessMessageKeepsTraceApart(t *testing.T) {
	r := start(t)
	r.dial("smtp").mail("eve@far.test", "ann@here.test", " folded: line\r\n", "250 ")
	if got := r.bag.last(t).text; !strings.HasSuffix(got, "\r\n\r\n folded: line\r\n") {
		t.Errorf("got %q, want an empty line in front of the body", got)
	}
}

func TestBDATWithoutLastLineEnd(t *testing.T) {
	r := start(t)
	c := r.dial("smtp")
	c.do("MAIL FROM:<eve@far.test> BODY=8BITMIME", "250 ")
	c.do("RCPT TO:<ann@here.test>", "250 ")
	c.send("BDAT 7 LAST\r\na: b\r\n\xfc")
	c.want("250 2.0.0 ")
	if got := r.bag.last(t); !strings.HasSuffix(got.text, "a: b\r\n\r\n\xfc\r\n") || got.env.Body != "8bitmime" {
		t.Errorf("got %q, %s", got.text, got.env.Body)
	}
}

// A message that its client takes back is no trouble of this host.
func TestBrokenOffIsNoLocalProblem(t *testing.T) {
	r := start(t)
	c := r.dial("smtp")
	c.do("MAIL FROM:<eve@far.test>", "250 ")
	c.do("RCPT TO:<ann@here.test>", "250 ")
	c.send("BDAT 3\r\na: RSET\r\n")
	c.want("250 2.0.0 chunk")
	c.want("250 2.0.0 reset")
	c.do("NOOP", "250 ")
	if log := r.log.String(); !strings.Contains(log, "status=4.4.2") || strings.Contains(log, "local problem") || r.bag.count() > 0 {
		t.Errorf("got %d messages and log %s", r.bag.count(), log)
	}
}

func TestVerdicts(t *testing.T) {
	for reply, refuse := range map[string]error{
		"451 4.3.0 ":             errors.New("anything"),
		"451 4.3.5 no queue":     verdict.Fail(verdict.Later, "4.3.5", "no queue", nil),
		"550 5.7.1 not by me":    verdict.Fail(verdict.Never, "5.7.1", "not by me", nil),
		"452 4.3.1 not enough s": fmt.Errorf("write: %w", &os.PathError{Op: "write", Path: "/x", Err: errNoSpace}),
	} {
		r := start(t)
		r.bag.refuse = refuse
		got := r.dial("smtp").mail("eve@far.test", "ann@here.test", "x: y\r\n\r\n", reply)
		if strings.Contains(got, "/x") {
			t.Errorf("got %q, which names a path", got)
		}
	}
}

// TestSpoolFails lets each step of the disk fail: the client is told to come
// again, and nothing stays.
func TestSpoolFails(t *testing.T) {
	r := start(t)
	r.bag.Disk.Hook = func(op durable.Op) error { return fmt.Errorf("%s: %w", op.Name, errNoSpace) }
	c := r.dial("smtp")
	c.mail("eve@far.test", "ann@here.test", "x: y\r\n\r\n", "452 4.3.1 ")
	c.do("NOOP", "250 ")
}

func TestProbe(t *testing.T) {
	never := verdict.Fail(verdict.Never, "5.3.5", "cannot link", errors.New("EPERM"))
	cases := []struct {
		name    string
		answers []error
		fatal   bool
		log     string
	}{
		{"open", []error{nil}, false, "door-open\n"},
		{"absent, then open", []error{errors.New("no socket"), errors.New("no socket"), nil}, false, "door-absent err=\"no socket\"\ndoor-open\n"},
		{"refused", []error{never}, true, ""},
		{"absent, then refused", []error{errors.New("no socket"), never}, true, "door-absent err=\"no socket\"\n"},
		{"busy, then open", []error{verdict.Fail(verdict.Later, "4.3.0", "busy", nil), nil}, false, "door-absent err=\"4.3.0 busy\"\ndoor-open\n"},
	}
	for _, cse := range cases {
		t.Run(cse.name, func(t *testing.T) {
			log := &buffer{}
			bag := &mailbag{}
			s := newService(evlog.New(log), &people{}, bag)
			s.wait = func(context.Context, time.Duration) {}
			bag.probe = func() error {
				err := cse.answers[0]
				cse.answers = cse.answers[1:]
				return err
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			err := s.probe(ctx)
			if (err != nil) != cse.fatal || err != nil && !errors.Is(err, never) {
				t.Errorf("got %v, want fatal %v", err, cse.fatal)
			}
			if got := log.String(); got != cse.log {
				t.Errorf("got log %q, want %q", got, cse.log)
			}
		})
	}
}

func TestReload(t *testing.T) {
	r := start(t)
	old := r.dial("smtp")
	fresh := *r.s.conf.Load()
	fresh.Domains = []string{"new.test"}
	if err := r.s.Reload(&fresh); err != nil {
		t.Fatal(err)
	}
	old.mail("eve@far.test", "ann@here.test", "x: y\r\n\r\n", "250 ")
	c := r.dial("smtp")
	c.do("MAIL FROM:<eve@far.test>", "250 ")
	c.do("RCPT TO:<ann@here.test>", "550 5.7.1")
	withTLS := fresh
	withTLS.TLS = []string{keyFile(t)}
	if err := r.s.Reload(&withTLS); err == nil {
		t.Error("a first certificate: got no error, want a hint at a restart")
	}
}
