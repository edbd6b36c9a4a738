package peers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

func TestPostfix(t *testing.T)   { testPeer(t, "postfix") }
func TestExim(t *testing.T)      { testPeer(t, "exim4-daemon-light") }
func TestOpenSMTPD(t *testing.T) { testPeer(t, "opensmtpd") }

// testPeer has a peer send to us and take mail of ours.
func testPeer(t *testing.T, name string) {
	needRoot(t)
	suite.Need(t, "unshare", "nsenter")
	unpacked(t, name)
	i := suite.Server(t, instance.Options{Zone: zone(), Conf: quick,
		Files: map[string]string{"aliases": "postmaster: " + suite.Ann + "\nwait: nobody-here\n"}})
	p := start(t, i, name, share(t))
	t.Run("sends", func(t *testing.T) { p.t = t; sends(t, i, p) })
	t.Run("receives", func(t *testing.T) { p.t = t; receives(t, i, p) })
}

// sends: what is handed to the peer arrives here once.
func sends(t *testing.T, i *instance.Instance, p *peer) {
	from := "ann@" + p.domain
	send := func(from, to, text string) {
		t.Helper()
		p.run("From: "+from+"\nTo: "+to+"\n"+text, "/usr/sbin/sendmail", "-i", "-f", from, to)
	}
	send(from, suite.Bob, "Subject: plain\n\n.\nhello\n..\n")
	send(from, suite.Bob, "Subject: eight\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüße\n")
	long := strings.Repeat("abcdefghi ", 500) + "end"
	send(from, suite.Bob, "Subject: long\n\n"+long+"\n")
	send(from, suite.Bob, "Subject: big\n\n"+strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n", 120_000))
	send("<>", suite.Bob, "Subject: nobody\n\nx\n")
	send(from, "x@"+instance.Foreign, "Subject: through us\n\nx\n")

	plain := once(t, i, suite.Bob, "Subject: plain\n")
	if !strings.HasSuffix(plain, "\n\n.\nhello\n..\n") || !strings.HasPrefix(plain, "Return-Path: <"+from+">\n") {
		t.Errorf("plain: got %q", plain)
	}
	if !strings.Contains(plain, " with ESMTPS id ") || !strings.Contains(plain, "(TLS1.3 ") {
		t.Errorf("plain: got %q, want TLS as offered", plain)
	}
	if eight := once(t, i, suite.Bob, "Subject: eight\n"); !strings.Contains(eight, "\nGrüße\n") {
		t.Errorf("8bit: got %q", eight)
	}
	// Lines above 998 may be folded on the way (RFC 5321 4.5.3.1.6): by Postfix with
	// a blank, by the sendmail of OpenSMTPD in quoted-printable.
	unfold := strings.NewReplacer("=\n", "", "\n", "", " ", "")
	if got := once(t, i, suite.Bob, "Subject: long\n"); !strings.HasSuffix(unfold.Replace(got), unfold.Replace(long)) {
		t.Errorf("long lines: got %q", got)
	}
	if big := once(t, i, suite.Bob, "Subject: big\n"); strings.Count(big, "\n0123456789abcdef") != 120_000 {
		t.Errorf("big: got %d bytes", len(big))
	}
	if got := once(t, i, suite.Bob, "Subject: nobody\n"); !strings.HasPrefix(got, "Return-Path: <>\n") {
		t.Errorf("null sender: got %q", got)
	}
	suite.Eventually(t, "the sink has what went through us", func() bool {
		return len(with(texts(t, suite.SinkFiles(i)), "Subject: through us\r\n")) == 1
	})

	// Who is not here comes back to the sender; who is put off is tried again.
	send(from, "stranger@"+instance.Domain, "Subject: unknown\n\nx\n")
	suite.Eventually(t, "the peer returns it", func() bool { return len(with(p.inbox("ann"), "stranger@"+instance.Domain, "5.1.1")) == 1 })
	send(from, "wait@"+instance.Domain, "Subject: waits\n\nx\n")
	if _, err := i.WaitLog(suite.Limit, func(l string) bool {
		return strings.Contains(l, "smtpd: rejected ") && strings.Contains(l, "to=wait@") && strings.Contains(l, "verdict=later")
	}); err != nil {
		t.Fatal(err)
	}
	aliases := filepath.Join(i.Dir, "aliases")
	if err := os.WriteFile(aliases, []byte("postmaster: "+suite.Ann+"\nwait: "+suite.Bob+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// The next try of OpenSMTPD would be minutes away, and Postfix waits a minute
	// where its time comes while the queue manager still looks at the last one.
	again := map[string][]string{"opensmtpd": {"smtpctl", "schedule", "all"}, "postfix": {"postqueue", "-f"}}[p.name]
	var asked time.Time
	suite.Eventually(t, "what was put off arrives", func() bool {
		if len(again) > 0 && time.Since(asked) > 2*time.Second {
			p.run("", again...)
			asked = time.Now()
		}
		return len(with(box(t, i, suite.Bob), "Subject: waits\n")) > 0
	})
	once(t, i, suite.Bob, "Subject: waits\n")
}

// receives: what we send to the peer's domain arrives there.
func receives(t *testing.T, i *instance.Instance, p *peer) {
	ann := "ann@" + p.domain
	submit(t, i, suite.Ann, "From: "+suite.Ann+"\nTo: "+ann+"\nSubject: to you\n\n.\nGrüße\n", ann, "bob@"+p.domain)
	for _, user := range []string{"ann", "bob"} {
		var got []string
		suite.Eventually(t, user+" of the peer has the message", func() bool {
			got = with(p.inbox(user), "Subject: to you\n")
			return len(got) > 0
		})
		if len(got) != 1 || !strings.Contains(got[0], "\n\n.\nGrüße\n") {
			t.Errorf("%s: got %q, want the message once", user, got)
		}
	}
	line, err := i.WaitLog(suite.Limit, func(l string) bool {
		return strings.Contains(l, "queue-remote: sent ") && strings.Contains(l, "to="+ann)
	})
	if err != nil || !strings.Contains(line, "host=mx."+p.domain+"[") || !strings.Contains(line, " tls="+kinds[p.name].tls+" ") {
		t.Errorf("got %s, %v, want tls=%s with mx.%s", line, err, kinds[p.name].tls, p.domain)
	}
	submit(t, i, suite.Ann, "From: "+suite.Ann+"\nSubject: to nobody\n\nx\n", "stranger@"+p.domain, ann)
	report := once(t, i, suite.Ann, "stranger@"+p.domain, "Action: failed")
	if !strings.Contains(report, "Remote-MTA: dns; mx."+p.domain) || !strings.Contains(report, "Diagnostic-Code: smtp; 550") {
		t.Errorf("got %s, want the host and its reply", report)
	}
	suite.Eventually(t, "the other recipient has it", func() bool { return len(with(p.inbox("ann"), "Subject: to nobody\n")) == 1 })
	// Larger than the peer announces: not sent, returned at once.
	submit(t, i, suite.Ann, "From: "+suite.Ann+"\nSubject: too big\n\n"+strings.Repeat(strings.Repeat("x", 99)+"\n", 220_000), ann)
	once(t, i, suite.Ann, "Status: 5.3.4")
}
