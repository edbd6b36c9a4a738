package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestSubmit: a process of this host sends to anybody, from any address, with
// names alone; what its message lacks is added, and its uid stands in it.
func TestSubmit(t *testing.T) {
	r := start(t)
	c := r.dial("submit")
	c.do("MAIL FROM:<cron>", "250 ")
	c.do("RCPT TO:<root>", "250 ")
	c.do("RCPT TO:<eve@far.test>", "250 ")
	c.do("RCPT TO:<nobody@here.test>", "250 ")
	c.do("RCPT TO:<table@here.test>", "250 ")
	c.do("DATA", "354 ")
	c.send("Subject: hi\n\na\x00b\rc\r\n.\r\n")
	c.want("250 2.0.0 ")
	got := r.bag.last(t)
	uid := fmt.Sprintf("uid:%d", os.Getuid())
	want := regexp.MustCompile(`^Received: from client\.test \(` + uid + `\)\r\n\tby mx\.here\.test with ESMTP id ` + got.env.ID + `;\r\n\t[^\r]*\r\n` +
		`Subject: hi\r\nDate: [^\r]*\r\nMessage-ID: <[^\r]*@mx\.here\.test>\r\n\r\nab c\r\n$`)
	if !want.MatchString(got.text) {
		t.Errorf("got message %q, want %s", got.text, want)
	}
	e := got.env
	if e.Origin != "local" || e.From.String() != "cron@here.test" || e.Client != uid || e.Auth != "" || len(e.Rcpts) != 4 || e.Rcpts[0].String() != "root@here.test" {
		t.Errorf("got envelope %+v", e)
	}
	if asked := r.people.asked; len(asked) > 0 {
		t.Errorf("got authd asked %q, want nothing: mail is taken whether it answers or not", asked)
	}
	if want := fmt.Sprintf(" uid=%d from=cron@here.test nrcpt=4 ", os.Getuid()); !strings.Contains(r.log.String(), want) {
		t.Errorf("got log %q, want %q in it", r.log, want)
	}
}

func TestSubmitOffers(t *testing.T) {
	r := start(t)
	c := r.dial("submit")
	c.send("EHLO client.test\r\n")
	var all []string
	for {
		l := c.line()
		all = append(all, l[4:])
		if l[3] == ' ' {
			break
		}
	}
	text := strings.Join(all, "|") + "|"
	for want, is := range map[string]bool{"XORIGIN here.test|": true, "LIMITS RCPTMAX=8000|": true, "SIZE 100000|": true, "STARTTLS": false, "AUTH": false} {
		if strings.Contains(text, want) != is {
			t.Errorf("got %q, want %s in it: %v", text, want, is)
		}
	}
}

func TestSubmitVerifies(t *testing.T) {
	r := start(t)
	c := r.dial("submit")
	for _, tc := range []struct{ cmd, reply string }{
		{"VRFY ann", "250 2.1.5 box ann@here.test"},
		{"VRFY <ann@here.test>", "250 2.1.5 box ann@here.test"},
		{"VRFY eve@far.test", "250 2.1.5 address eve@far.test"},
		{"VRFY nobody", "550 5.1.1"},
		{"VRFY table", "451 4.3.0"},
		{"VRFY a@b@c", "501 5.1.3"},
		{"VRFY", "501 5.1.3"},
	} {
		c.do(tc.cmd, tc.reply)
	}
	n := r.dial("smtp")
	n.do("VRFY ann", "252 ")
}

// TestDaemonsSubmitNothing: a daemon's uid is turned away.
func TestDaemonsSubmitNothing(t *testing.T) {
	r := start(t)
	r.s.daemons = []int{os.Getuid()}
	c := r.connect("submit")
	c.want("421 4.7.0 mx.here.test daemons submit no mail")
	if want := fmt.Sprintf("submit-refused uid=%d ", os.Getuid()); !strings.Contains(r.log.String(), want) {
		t.Errorf("got log %q, want %q in it", r.log, want)
	}
}
