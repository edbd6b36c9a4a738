package dsn

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

const text = "Subject: hello¶From: ann@example.test¶¶the body"

// TestNotify sends with each NOTIFY to each kind of recipient.
func TestNotify(t *testing.T) {
	p := newPost(t)
	failed := map[string]string{"550-no@plain.test": "failed 5"}
	none := map[string]string{}
	tests := []struct {
		rcpt, notify string
		want         map[string]string
	}{
		{"bob@example.test", "", none},
		{"bob@example.test", "NEVER", none},
		{"bob@example.test", "FAILURE,DELAY", none},
		{"bob@example.test", "SUCCESS", map[string]string{"bob@example.test": "delivered 2"}},
		{"one@example.test", "SUCCESS", map[string]string{"one@example.test by way of bob@example.test": "delivered 2"}},
		{"team@example.test", "SUCCESS", map[string]string{"team@example.test": "expanded 2"}},
		{"team@example.test", "FAILURE", none},
		{"broken@example.test", "SUCCESS,FAILURE", map[string]string{"broken@example.test": "expanded 2", "broken@example.test by way of 550-gone@plain.test": "failed 5"}},
		{"broken@example.test", "NEVER", none},
		{"x@plain.test", "", none},
		{"x@plain.test", "SUCCESS", map[string]string{"x@plain.test": "relayed 2"}},
		{"x@plain.test", "FAILURE", none},
		{"x@dsn.test", "SUCCESS", none}, // which is that host's to report
		{"550-no@plain.test", "", failed},
		{"550-no@plain.test", "FAILURE", failed},
		{"550-no@plain.test", "SUCCESS,DELAY", none},
		{"550-no@plain.test", "NEVER", none},
		{"550-no@dsn.test", "SUCCESS,FAILURE", map[string]string{"550-no@dsn.test": "failed 5"}},
	}
	type sent struct{ id, who string }
	ids := make([]sent, len(tests))
	for n, tt := range tests { // all under way together
		rcpt := tt.rcpt
		if tt.notify != "" {
			rcpt += " NOTIFY=" + tt.notify
		}
		ids[n] = sent{p.send(suite.Ann, text, rcpt), tt.rcpt + " " + tt.notify}
	}
	for n, tt := range tests {
		p.event("finished", ids[n].id)
		if got := actions(p.reports(ids[n].id, suite.Ann)); !maps.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", ids[n].who, got, tt.want)
		}
	}
}

// TestDelay: the message waits on, and who asked is told.
func TestDelay(t *testing.T) {
	p := newPost(t)
	id := p.send(suite.Ann, text, "450-a@plain.test NOTIFY=DELAY", "450-b@plain.test NOTIFY=FAILURE", "450-c@plain.test")
	p.event("notified", id)
	want := map[string]string{"450-a@plain.test": "delayed 4", "450-c@plain.test": "delayed 4"}
	reports := p.reports(id, suite.Ann)
	if got := actions(reports); !maps.Equal(got, want) || len(reports) != 1 {
		t.Fatalf("got %v in %d reports, want %v", got, len(reports), want)
	}
	for rcpt, h := range reports[0].rcpts {
		if h.Get("Will-Retry-Until") == "" || h.Get("Last-Attempt-Date") == "" || !strings.HasPrefix(h.Get("Diagnostic-Code"), "smtp; 450 ") {
			t.Errorf("%s: got %v", rcpt, h)
		}
	}
}

// TestReturned: RET, ENVID and ORCPT, and what the report is made of.
func TestReturned(t *testing.T) {
	p := newPost(t)
	long := "Subject: long¶¶" + strings.Repeat(strings.Repeat("x", 70)+"¶", 300) + "end"
	tests := []struct {
		name, from, text, rcpt string
		part                   string
		body                   bool
	}{
		{"nothing asked", suite.Ann, text, "550-a@plain.test", "text/rfc822-headers", false},
		{"headers", suite.Ann + " RET=HDRS ENVID=QQ+3D1", text, "550-b@plain.test ORCPT=rfc822;b+2Bc@old.test", "text/rfc822-headers", false},
		{"all", suite.Ann + " RET=FULL ENVID=QQ+3D1", text, "550-c@plain.test ORCPT=rfc822;b+2Bc@old.test NOTIFY=FAILURE", "message/rfc822", true},
		{"all of eight bit", suite.Ann + " RET=FULL BODY=8BITMIME", "Subject: x¶¶gr\xfcn, the body", "550-d@plain.test", "message/rfc822", true},
		{"all of too much", suite.Ann + " RET=FULL", long, "550-e@plain.test", "text/rfc822-headers", false},
		{"all of what arrived", suite.Ann + " RET=FULL", text, "bob@example.test NOTIFY=SUCCESS ORCPT=x-own;any", "text/rfc822-headers", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &post{t, p.Instance, p.dirs, p.log}
			before := time.Now().Truncate(time.Second)
			id := p.send(tt.from, tt.text, tt.rcpt)
			p.event("finished", id)
			reports := p.reports(id, suite.Ann)
			if len(reports) != 1 {
				t.Fatalf("got %d reports, want one", len(reports))
			}
			r := reports[0]
			if r.types != [3]string{"text/plain", "message/delivery-status", tt.part} {
				t.Errorf("got parts %q, want %s", r.types, tt.part)
			}
			if strings.Contains(r.returns, "the body") != tt.body || !strings.Contains(r.returns, "Subject: ") {
				t.Errorf("returned: got %q, want the body %t", r.returns, tt.body)
			}
			if r.header.Get("Return-Path") != "<>" || r.header.Get("Auto-Submitted") != "auto-replied" || r.message.Get("Reporting-MTA") != "dns; mx.example.test" {
				t.Errorf("got %v, %v", r.header, r.message)
			}
			envid, orcpt := "", ""
			if strings.Contains(tt.from, "ENVID") {
				envid = "QQ=1"
			}
			if _, x, ok := strings.Cut(tt.rcpt, "ORCPT="); ok {
				orcpt = strings.NewReplacer("+2B", "+", ";", "; ", " NOTIFY=FAILURE", "").Replace(x)
			}
			for _, h := range r.rcpts {
				at, err := time.Parse(time.RFC1123Z, h.Get("Last-Attempt-Date"))
				if err != nil || at.Before(before) {
					t.Errorf("last attempt: got %v, %v", at, err)
				}
				if h.Get("Original-Recipient") != orcpt {
					t.Errorf("got ORCPT %q, want %q", h.Get("Original-Recipient"), orcpt)
				}
			}
			if got := r.message.Get("Original-Envelope-Id"); got != envid {
				t.Errorf("got ENVID %q, want %q", got, envid)
			}
		})
	}
}

// TestPassedOn: what the next host is told.
func TestPassedOn(t *testing.T) {
	p := newPost(t)
	p.send(suite.Ann+" RET=HDRS ENVID=E+201", text, "a@dsn.test NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@old.test", "b@dsn.test", "c@plain.test NOTIFY=NEVER")
	env, _ := p.taken(dsn, "a@dsn.test")
	got := strings.Join(env, "\n")
	for _, want := range []string{"RET=HDRS ENVID=E+201", "rcpt=a@dsn.test\nasked=NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@old.test\n", "rcpt=b@dsn.test\nasked=ORCPT=rfc822;b@dsn.test\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q in it", got, want)
		}
	}
	env, _ = p.taken(plain, "c@plain.test")
	if got := strings.Join(env, "\n"); strings.Contains(got, "asked=") || strings.Contains(got, "RET=") {
		t.Errorf("a host without DSN: got\n%s", got)
	}
	p.send("back@dsn.test RET=FULL", text, "550-x@plain.test") // the report is not asked after itself
	env, _ = p.taken(dsn, "back@dsn.test")
	if got := strings.Join(env, "\n"); !strings.Contains(got, "from=\n") || !strings.Contains(got, "asked=NOTIFY=NEVER\n") || strings.Contains(got, "RET=") {
		t.Errorf("a report: got\n%s", got)
	}
}

// TestNullSender: nobody is told, but the postmaster of a failure.
func TestNullSender(t *testing.T) {
	p := newPost(t)
	id := p.send("", text, "one@example.test NOTIFY=SUCCESS,FAILURE,DELAY", "x@plain.test NOTIFY=SUCCESS", "550-x@plain.test NOTIFY=NEVER")
	p.event("finished", id)
	if got := p.reports(id, suite.Bob); len(got) != 0 {
		t.Errorf("got %d reports", len(got))
	}
}

// TestRefused: what no sender may ask.
func TestRefused(t *testing.T) {
	p := newPost(t)
	p.dialogue(strings.Join([]string{
		"MAIL FROM:<ann@example.test> RET=BOTH\t501 5.5.4",
		"MAIL FROM:<ann@example.test> ENVID=a+2\t501 5.5.4",
		"MAIL FROM:<ann@example.test> ENVID=" + strings.Repeat("x", 101) + "\t501 5.5.4",
		"MAIL FROM:<ann@example.test> NOTIFY=NEVER\t555 5.5.4",
		"MAIL FROM:<änn@example.test>\t553 5.6.7",
		"MAIL FROM:<ann@example.test>\t250",
		"RCPT TO:<bob@example.test> NOTIFY=NEVER,FAILURE\t501 5.5.4",
		"RCPT TO:<bob@example.test> NOTIFY=\t501 5.5.4",
		"RCPT TO:<bob@example.test> ORCPT=bob@example.test\t501 5.5.4",
		"RCPT TO:<bob@example.test> ORCPT=rfc822;a+0D+0A\t501 5.5.4",
		"RCPT TO:<bob@example.test> ORCPT=rfc822;" + strings.Repeat("x", 494) + "\t501 5.5.4",
		"RCPT TO:<bob@example.test> RET=FULL\t555 5.5.4",
		"RCPT TO:<jürgen@example.test>\t553 5.6.7",
		"RCPT TO:<info@häuser.test>\t553 5.6.7",
		"RCPT TO:<bob@example.test> ORCPT=never-heard-of;it\t250",
	}, "\n"))
}

// TestClient submits as a program does, on the services for users.
func TestClient(t *testing.T) {
	p := newPost(t)
	for _, service := range []string{"submission", "submissions"} {
		t.Run(service, func(t *testing.T) {
			p := &post{t, p.Instance, p.dirs, p.log}
			dial := smtp.DialStartTLS
			if service == "submissions" {
				dial = smtp.DialTLS
			}
			c, err := dial(p.Addr[service], &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Auth(sasl.NewPlainClient("", suite.Ann, instance.Password)); err != nil {
				t.Fatal(err)
			}
			for _, ext := range []string{"DSN", "SMTPUTF8"} {
				if ok, _ := c.Extension(ext); !ok {
					t.Errorf("%s is not announced", ext)
				}
			}
			to := fmt.Sprintf("y+%s@plain.test", service)
			if err := c.Mail(suite.Ann, &smtp.MailOptions{Return: smtp.DSNReturnFull, EnvelopeID: "id of " + service}); err != nil {
				t.Fatal(err)
			}
			if err := c.Rcpt(to, &smtp.RcptOptions{Notify: []smtp.DSNNotify{smtp.DSNNotifySuccess},
				OriginalRecipientType: smtp.DSNAddressTypeRFC822, OriginalRecipient: "old+1@plain.test"}); err != nil {
				t.Fatal(err)
			}
			w, err := c.Data()
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(w, bytes.NewReader([]byte("Subject: x\r\n\r\ny\r\n")))
			reply, err := w.CloseWithResponse()
			if err != nil {
				t.Fatal(err)
			}
			id := strings.Fields(reply.StatusText)[1] // behind the status
			p.event("finished", id)
			reports := p.reports(id, suite.Ann)
			if len(reports) != 1 || reports[0].message.Get("Original-Envelope-Id") != "id of "+service {
				t.Fatalf("got %+v", reports)
			}
			h := reports[0].rcpts["rfc822; "+to]
			if h.Get("Action") != "relayed" || h.Get("Original-Recipient") != "RFC822; old+1@plain.test" {
				t.Errorf("got %v", h)
			}
		})
	}
}
