package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/directory"
	"posthorn/internal/door"
	"posthorn/internal/dsn"
	"posthorn/internal/id"
	"posthorn/internal/spool"
)

// asked is a recipient with NOTIFY and ORCPT as they stand in a command.
func asked(t *testing.T, address, notify, orcpt string) spool.Rcpt {
	t.Helper()
	r := spool.Rcpt{}
	var err error
	if r.Address, err = addr.Parse(address); err != nil {
		t.Fatal(err)
	}
	if notify != "" {
		if r.Notify, err = dsn.ParseNotify(notify); err != nil {
			t.Fatal(err)
		}
	}
	if orcpt != "" {
		if r.Orcpt, err = dsn.ParseOrcpt(orcpt, true); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// submitAsked hands a message over and returns its id.
func (w *world) submitAsked(from string, m dsn.Mail, rcpts ...spool.Rcpt) string {
	w.t.Helper()
	sender, err := addr.ParseOrNull(from)
	if err != nil {
		w.t.Fatal(err)
	}
	d := w.draftAs(spool.Envelope{ID: id.New(), Time: time.Now(), Origin: "smtp", From: sender, Body: "7bit", Mail: m, Rcpts: rcpts})
	defer d.Close()
	c := door.New(w.conf.Socket("queue"))
	defer c.Close()
	if err := c.Submit(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
	return d.Envelope().ID
}

// told lists what reports say, "recipient action" in order of recipients.
func told(reports []delivery) []string {
	var all []string
	for _, r := range reports {
		var final string
		for line := range strings.SplitSeq(r.content, "\r\n") {
			if a, ok := strings.CutPrefix(line, "Final-Recipient: rfc822; "); ok {
				final = a
			}
			if a, ok := strings.CutPrefix(line, "Action: "); ok {
				all = append(all, final+" "+a)
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestNotify(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rcpts [][2]string // address and NOTIFY
		want  []string
	}{
		{"nothing asked, delivered", [][2]string{{"bob@test", ""}}, nil},
		{"nothing asked, failed", [][2]string{{"bad@b.example", ""}}, []string{"bad@b.example failed"}},
		{"never, failed", [][2]string{{"bad@b.example", "NEVER"}}, nil},
		{"success, delivered", [][2]string{{"bob@test", "SUCCESS"}}, []string{"bob@test delivered"}},
		{"success, failed", [][2]string{{"bad@b.example", "SUCCESS"}}, nil},
		{"failure, delivered", [][2]string{{"bob@test", "FAILURE"}}, nil},
		{"success and failure, one of each", [][2]string{{"bob@test", "SUCCESS,FAILURE"}, {"bad@b.example", "SUCCESS,FAILURE"}},
			[]string{"bad@b.example failed", "bob@test delivered"}},
		{"success, handed to a host without DSN", [][2]string{{"far@b.example", "SUCCESS"}}, []string{"far@b.example relayed"}},
		{"success, handed to a host with DSN", [][2]string{{"far@dsn.example", "SUCCESS"}}, nil},
		{"success, by way of an alias", [][2]string{{"one@test", "SUCCESS"}}, []string{"one@test delivered"}},
		{"success, an alias for several", [][2]string{{"many@test", "SUCCESS"}}, []string{"many@test expanded"}},
		{"failure, an alias for several", [][2]string{{"many@test", "FAILURE"}}, []string{"many@test failed"}},
		{"everything, an alias for several", [][2]string{{"many@test", "SUCCESS,FAILURE,DELAY"}}, []string{"many@test expanded", "many@test failed"}},
		{"one box by two names, one asks", [][2]string{{"bob@test", ""}, {"one@test", "SUCCESS"}}, []string{"one@test delivered"}},
		{"one box by two names, one does not want to know", [][2]string{{"bad@b.example", "NEVER"}, {"worse@test", "FAILURE"}}, []string{"worse@test failed"}},
		{"one address by two names, to a host with DSN", [][2]string{{"far@dsn.example", "SUCCESS"}, {"farther@test", "SUCCESS"}}, []string{"farther@test relayed"}},
		{"one address by two names, which a host with DSN tells of the second", [][2]string{{"far@dsn.example", "NEVER"}, {"farther@test", "SUCCESS"}}, nil},
		{"one box by two names, nobody asks", [][2]string{{"bad@b.example", ""}, {"worse@test", ""}}, []string{"bad@b.example failed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.say["bad@b.example"] = never("no")
			w.aliases["one@test"] = []directory.Target{{Kind: "box", Value: "bob@test", Rcpt: "bob@test", Origin: "aliases:1"}}
			w.aliases["worse@test"] = []directory.Target{{Kind: "address", Value: "bad@b.example", Rcpt: "bad@b.example", Origin: "aliases:2"}}
			w.aliases["farther@test"] = []directory.Target{{Kind: "address", Value: "far@dsn.example", Rcpt: "far@dsn.example", Origin: "aliases:2"}}
			w.aliases["many@test"] = []directory.Target{{Kind: "box", Value: "bob@test", Rcpt: "bob@test", Origin: "aliases:3"},
				{Kind: "address", Value: "far@b.example", Rcpt: "far@b.example", Origin: "aliases:3"},
				{Kind: "address", Value: "bad@b.example", Rcpt: "bad@b.example", Origin: "aliases:3"}}
			r := w.run()
			var rcpts []spool.Rcpt
			for _, c := range tt.rcpts {
				rcpts = append(rcpts, asked(t, c[0], c[1], ""))
			}
			w.submitAsked("ann@test", dsn.Mail{}, rcpts...)
			w.submitAsked("", dsn.Mail{}, rcpts...) // the postmaster is told of failures only
			w.awaitEmpty(r)
			if got := told(w.boxes["ann@test"]); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for _, line := range told(w.boxes["root@test"]) {
				if !strings.HasSuffix(line, " failed") {
					t.Errorf("the postmaster is told %q", line)
				}
			}
			if got := len(w.boxes["bob@test"]); got > 2 {
				t.Errorf("bob has %d messages, want at most the two", got)
			}
		})
	}
}

func TestNotifyOfDelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s", "delay-warning 1s")
	for _, box := range []string{"a@test", "b@test", "c@test"} {
		w.say[box] = later("busy")
	}
	r := w.run()
	w.submitAsked("ann@test", dsn.Mail{}, asked(t, "a@test", "DELAY", ""), asked(t, "b@test", "FAILURE,SUCCESS", ""), asked(t, "c@test", "", ""))
	w.submitAsked("bob@test", dsn.Mail{}, asked(t, "b@test", "NEVER", ""))
	w.await("a warning", func() bool { return len(w.boxes["ann@test"]) == 1 })
	w.set(func() { clear(w.say) })
	w.awaitEmpty(r)
	if got, want := told(w.boxes["ann@test"]), []string{"a@test delayed", "b@test delivered", "c@test delayed"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := told(w.boxes["bob@test"]); got != nil {
		t.Errorf("never: got %q", got)
	}
}

// TestPassedOn: what queue-remote is asked to tell the next host.
func TestPassedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aliases["one@test"] = []directory.Target{{Kind: "address", Value: "x@b.example", Rcpt: "x@b.example"}}
	w.aliases["many@test"] = []directory.Target{{Kind: "address", Value: "y@b.example", Rcpt: "y@b.example"},
		{Kind: "address", Value: "z@b.example", Rcpt: "z@b.example"}}
	w.aliases["other@test"] = []directory.Target{{Kind: "address", Value: "quiet@b.example", Rcpt: "quiet@b.example"}}
	w.say["bad@b.example"] = never("no")
	r := w.run()
	w.submitAsked("ann@a.example", dsn.Mail{Ret: dsn.Full, Envid: "e 1"}, asked(t, "quiet@b.example", "NEVER", "rfc822;q@c.example"), asked(t, "other@test", "FAILURE", ""),
		asked(t, "one@test", "SUCCESS", "rfc822;first@c.example"), asked(t, "many@test", "SUCCESS", ""), asked(t, "far@b.example", "", ""),
		asked(t, "bad@b.example", "", ""), asked(t, "jürgen@b.example", "", ""))
	w.awaitEmpty(r)
	got := map[string]string{}
	for _, s := range w.sent {
		for _, rcpt := range s.Rcpts {
			got[rcpt.String()] = fmt.Sprintf("%s %s|%s %s", s.Ret, s.Envid, rcpt.Notify, rcpt.Orcpt)
		}
	}
	want := map[string]string{
		"x@b.example":      "full e 1|success rfc822;first@c.example",
		"quiet@b.example":  "full e 1|failure rfc822;other@test", // never is not told of
		"y@b.example":      "full e 1|never rfc822;many@test",
		"z@b.example":      "full e 1|never rfc822;many@test",
		"far@b.example":    "full e 1| rfc822;far@b.example",
		"bad@b.example":    "full e 1| rfc822;bad@b.example",
		"jürgen@b.example": "full e 1| utf-8;jürgen@b.example",
		"ann@a.example":    " |never ", // the report
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestShowWhatWasAsked: the administrator sees what the envelope holds.
func TestShowWhatWasAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	w.say["bob@test"], w.say["carl@test"] = later("busy"), later("busy")
	r := w.run()
	mail := dsn.Mail{Ret: dsn.Hdrs, Envid: "e 1"}
	bob, carl := asked(t, "bob@test", "SUCCESS,DELAY", "rfc822;old@c.example"), asked(t, "carl@test", "", "")
	msg := w.submitAsked("ann@test", mail, bob, carl)
	w.awaitLog("deferred", "id="+msg)
	d, err := r.control().Show(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	want := []door.Recipient{{Address: "bob@test", Rcpt: bob.Rcpt}, {Address: "carl@test"}}
	if d.Mail != mail || !reflect.DeepEqual(d.Recipients, want) {
		t.Errorf("got %+v for %+v, want %+v for %+v", d.Mail, d.Recipients, mail, want)
	}
}

// TestReturnedAsAsked: RET, ENVID and ORCPT in the report.
func TestReturnedAsAsked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		mail   dsn.Mail
		conf   string
		part   string
		within bool // the body is in it
	}{
		{"nothing asked", dsn.Mail{}, "", "text/rfc822-headers", false},
		{"headers", dsn.Mail{Ret: dsn.Hdrs}, "", "text/rfc822-headers", false},
		{"all", dsn.Mail{Ret: dsn.Full, Envid: "QQ 1"}, "", "message/rfc822", true},
		{"all, larger than allowed", dsn.Mail{Ret: dsn.Full}, "bounce-size 10", "text/rfc822-headers", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.conf)
			w.say["far@b.example"] = never("no")
			r := w.run()
			before := time.Now().Truncate(time.Second)
			w.submitAsked("ann@test", c.mail, asked(t, "far@b.example", "FAILURE,SUCCESS", "rfc822;old@c.example"), asked(t, "bob@test", "SUCCESS", ""))
			w.awaitEmpty(r)
			reports := w.boxes["ann@test"]
			if len(reports) != 2 {
				t.Fatalf("got %d reports, want two", len(reports))
			}
			failed, fine := reports[0].content, reports[1].content
			if !strings.Contains(failed, "Action: failed") {
				failed, fine = fine, failed
			}
			if !strings.Contains(failed, "Content-Type: "+c.part+"\r\n") || strings.HasSuffix(failed, "\r\nhello\r\n\r\n--"+boundary(failed)+"--\r\n") != c.within {
				t.Errorf("got\n%s\nwant a part %s", failed, c.part)
			}
			if !strings.Contains(failed, "Original-Recipient: rfc822; old@c.example\r\n") || strings.Contains(failed, "Original-Envelope-Id: QQ 1\r\n") != (c.mail.Envid != "") {
				t.Errorf("got\n%s", failed)
			}
			if !strings.Contains(fine, "text/rfc822-headers") { // RFC 3461 4.3: RET is for failures
				t.Errorf("success: got\n%s", fine)
			}
			if at := dateOf(t, failed, "\r\nLast-Attempt-Date: "); at.Before(before) {
				t.Errorf("last attempt: got %v, want %v or later", at, before)
			}
		})
	}
}

func boundary(report string) string {
	_, rest, _ := strings.Cut(report, "boundary=\"")
	b, _, _ := strings.Cut(rest, "\"")
	return b
}

// TestLastAttemptIsNotTheNotice: what was given up while its destination was left
// alone is dated by its only try.
func TestLastAttemptIsNotTheNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h", "expire 20s")
	w.silent["dead.example"] = true
	r := w.run()
	w.submit("ann@test", "far@dead.example")
	w.awaitEmpty(r)
	got := w.boxes["ann@test"]
	if len(got) != 1 {
		t.Fatalf("got %d notices, want one", len(got))
	}
	last, told := dateOf(t, got[0].content, "\r\nLast-Attempt-Date: "), dateOf(t, got[0].content, "\r\nDate: ")
	if told.Sub(last) < time.Second {
		t.Errorf("got a last attempt at %v in a notice of %v, want the only try", last, told)
	}
}

func dateOf(t *testing.T, report, field string) time.Time {
	t.Helper()
	_, date, _ := strings.Cut(report, field)
	at, err := time.Parse(time.RFC1123Z, strings.SplitN(date, "\r\n", 2)[0])
	if err != nil {
		t.Fatalf("%q: %v in\n%s", field, err, report)
	}
	return at
}
