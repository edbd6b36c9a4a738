package dsn

import (
	"strings"
	"testing"

	"posthorn/test/suite"
)

// TestUTF8Boxes: addresses in UTF-8 lead to the boxes of this host, however
// their letters were put together and their domain written.
func TestUTF8Boxes(t *testing.T) {
	p := newPost(t)
	for rcpt, user := range map[string]string{
		"jürgen@example.test": jürgen, "ju\u0308rgen+x@example.test": jürgen, "JÜRGEN@example.test": jürgen,
		"FÜR-alle@example.test": suite.Bob, "info@häuser.test": suite.Bob, "info@HÄUSER.test": suite.Bob, "info@xn--huser-gra.test": suite.Bob,
	} {
		id := p.send("eve@plain.test SMTPUTF8", "Subject: grün¶From: Jürgen <jürgen@example.test>¶¶x", rcpt)
		if got := p.file(user, id); !strings.Contains(got, "\nSubject: grün\n") || !strings.Contains(got, "with UTF8SMTP ") {
			t.Errorf("%s: got\n%s", rcpt, got)
		}
	}
	p.dialogue("MAIL FROM:<eve@plain.test> SMTPUTF8\t250\nRCPT TO:<jurgen@example.test>\t550 5.1.1\nRCPT TO:<\xfc@example.test>\t501 5.1.3")
}

// TestUTF8Elsewhere: other hosts get what they can take, and the sender gets the
// rest back.
func TestUTF8Elsewhere(t *testing.T) {
	p := newPost(t)
	utf8 := "Subject: grün¶¶the body"
	arrives := []struct {
		name, from, text, rcpt string
		domain, as             string
		asked, never           string // what the host is asked for, and what it is not
	}{
		{"everything", jürgen + " SMTPUTF8", utf8, "böb@bücher.test NOTIFY=FAILURE", global, "böb@xn--bcher-kva.test", "SMTPUTF8", "RET="},
		{"an address", suite.Ann + " SMTPUTF8", text, "bäb@bücher.test", global, "bäb@xn--bcher-kva.test", "asked=ORCPT=utf-8;bäb@xn--bcher-kva.test", "BODY="},
		{"asked for without need", suite.Ann + " SMTPUTF8", text, "a@bücher.test", global, "a@xn--bcher-kva.test", "asked=ORCPT=rfc822;a@", "SMTPUTF8"},
		{"asked for without need, not offered", suite.Ann + " SMTPUTF8", text, "b@plain.test", plain, "b@plain.test", "body=", "SMTPUTF8"},
		{"an alias in UTF-8", suite.Ann + " SMTPUTF8", text, "weiß@example.test", plain, "far@plain.test", "body=", "SMTPUTF8"},
		{"eight bits without a word of UTF-8", suite.Ann + " BODY=8BITMIME", utf8, "c@plain.test", plain, "c@plain.test", "BODY=8BITMIME", "SMTPUTF8"},
	}
	for _, tt := range arrives {
		t.Run(tt.name, func(t *testing.T) {
			p := &post{t, p.Instance, p.dirs, p.log}
			p.send(tt.from, tt.text, tt.rcpt)
			env, got := p.taken(tt.domain, tt.as)
			all := strings.Join(env, "\n")
			if !strings.Contains(all, tt.asked) || strings.Contains(all, tt.never) {
				t.Errorf("got\n%s\nwant %s and no %s", all, tt.asked, tt.never)
			}
			if tt.text == text && !ascii(got) {
				t.Errorf("got\n%s\nwant it in ASCII still", got)
			}
		})
	}
	returned := []struct {
		name, from, text, rcpt string
		user                   string
		final, status          string
		types                  [2]string
	}{
		{"a header", suite.Ann + " SMTPUTF8", utf8, "a@plain.test", suite.Ann, "rfc822; a@plain.test", "5.6.9",
			[2]string{"message/delivery-status", "message/global-headers"}},
		{"a header, all of it", suite.Ann + " SMTPUTF8 RET=FULL", utf8, "a@plain.test", suite.Ann, "rfc822; a@plain.test", "5.6.9",
			[2]string{"message/delivery-status", "message/global"}},
		{"an address", suite.Ann + " SMTPUTF8", text, "jü+x@plain.test", suite.Ann, `utf-8; j\x{FC}\x{2B}x@plain.test`, "5.6.7",
			[2]string{"message/delivery-status", "text/rfc822-headers"}},
		{"an address at a host with DSN", suite.Ann + " SMTPUTF8", text, `ö@dsn.test ORCPT=utf-8;\x{F6}x@dsn.test`, suite.Ann, `utf-8; \x{F6}@dsn.test`, "5.6.7",
			[2]string{"message/delivery-status", "text/rfc822-headers"}},
		{"a sender", jürgen + " SMTPUTF8", utf8, "a@plain.test", jürgen, "rfc822; a@plain.test", "5.6.7",
			[2]string{"message/global-delivery-status", "message/global-headers"}},
		{"a sender, all of it", jürgen + " SMTPUTF8 RET=FULL", utf8, "ö@plain.test", jürgen, "utf-8; ö@plain.test", "5.6.7",
			[2]string{"message/global-delivery-status", "message/global"}},
	}
	for _, tt := range returned {
		t.Run("returned: "+tt.name, func(t *testing.T) {
			p := &post{t, p.Instance, p.dirs, p.log}
			id := p.send(tt.from, tt.text, tt.rcpt)
			p.event("finished", id)
			reports := p.reports(id, tt.user)
			if len(reports) != 1 {
				t.Fatalf("got %d reports, want one", len(reports))
			}
			r := reports[0]
			if got := [2]string(r.types[1:]); got != tt.types {
				t.Errorf("got parts %q, want %q", got, tt.types)
			}
			h := r.rcpts[tt.final]
			if h.Get("Action") != "failed" || h.Get("Status") != tt.status {
				t.Errorf("got %v, want %s %s", r.rcpts, tt.final, tt.status)
			}
			if strings.Contains(tt.rcpt, "ORCPT") && h.Get("Original-Recipient") != `utf-8; \x{F6}x@dsn.test` {
				t.Errorf("got %v", h)
			}
			if tt.user == suite.Ann && !ascii(r.raw) {
				t.Errorf("got\n%s\nwant it in ASCII, as its recipient's address is", r.raw)
			}
			if tt.text == utf8 && !strings.Contains(r.returns, "Subject: grün") || strings.Contains(tt.from, "FULL") != strings.Contains(r.returns, "the body") {
				t.Errorf("returned: got %q", r.returns)
			}
		})
	}
}

// TestReportAbroad: the report of a message in UTF-8 can be delivered to a sender
// whose host knows nothing of it.
func TestReportAbroad(t *testing.T) {
	p := newPost(t)
	p.send("eve@plain.test SMTPUTF8 RET=FULL", "Subject: grün¶¶the body", "ö@dsn.test")
	env, got := p.taken(plain, "eve@plain.test")
	if all := strings.Join(env, "\n"); strings.Contains(all, "UTF8") || strings.Contains(all, "8BITMIME") || !ascii(got) {
		t.Errorf("got\n%s\n%s", all, got)
	}
	r := parse(t, got)
	if h := r.rcpts[`utf-8; \x{F6}@dsn.test`]; h.Get("Status") != "5.6.9" || !strings.Contains(r.returns, "grün") {
		t.Errorf("got %v, %q", r.rcpts, r.returns)
	}
	p.send("öve@bücher.test SMTPUTF8", "Subject: grün¶¶x", "a@dsn.test")
	env, got = p.taken(global, "öve@xn--bcher-kva.test")
	if all := strings.Join(env, "\n"); !strings.Contains(all, "SMTPUTF8") || parse(t, got).types[1] != "message/global-delivery-status" {
		t.Errorf("got\n%s\n%s", all, got)
	}
}
