package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// submit sends as ann, with the envelope's recipients as given.
func submit(t *testing.T, i *instance.Instance, to ...string) string {
	t.Helper()
	return suite.Must(t, "", "swaks", "--server", i.Addr["submission"], "--tls", "--auth", "PLAIN", "--auth-user", suite.Ann,
		"--auth-password", instance.Password, "--from", suite.Ann, "--to", strings.Join(to, ","), "--header", "Subject: to "+strings.Join(to, " "))
}

// boxText waits for n messages in a box and returns them all.
func boxText(t *testing.T, i *instance.Instance, user string, n int) string {
	t.Helper()
	suite.Eventually(t, user+" gets mail", func() bool { return len(suite.BoxFiles(i, user, "")) >= n })
	var b strings.Builder
	for _, file := range suite.BoxFiles(i, user, "") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

func TestAliases(t *testing.T) {
	suite.Need(t, "swaks")
	i := suite.Server(t, instance.Options{Files: map[string]string{"aliases": "postmaster: ann\nteam: ann, bob, eve@other.test\n@example.test: bob\n"}})
	for _, to := range []string{"team@example.test", "bob+lists@example.test", "anything@example.test", "postmaster@example.test"} {
		suite.Must(t, "", "swaks", "--server", i.Addr["smtp"], "--from", "x@other.test", "--to", to, "--header", "Subject: to "+to)
	}
	bobs := boxText(t, i, suite.Bob, 3)
	for _, want := range []string{"to team@", "to bob+lists@", "to anything@"} {
		if strings.Count(bobs, "Subject: "+want) != 1 {
			t.Errorf("bob: got %d messages %q, want one", strings.Count(bobs, "Subject: "+want), want)
		}
	}
	anns := boxText(t, i, suite.Ann, 2)
	if !strings.Contains(anns, "to team@") || !strings.Contains(anns, "to postmaster@") {
		t.Errorf("ann: got %s, want the mail of team and postmaster", anns)
	}
	suite.Eventually(t, "eve gets the mail of team", func() bool { return len(suite.SinkFiles(i)) == 1 })
}

// TestReturned: what cannot be delivered comes back as a report that names the
// recipient, the status and what the host said.
func TestReturned(t *testing.T) {
	suite.Need(t, "swaks")
	i := suite.Server(t, instance.Options{Zone: "nomail.test. 60 IN MX 0 .\nloop.test. 60 IN MX 10 mx.example.test.\nplain.test. 60 IN A 127.0.0.1\n"})
	submit(t, i, "550-gone@other.test", "x@nomail.test", "x@loop.test", "x@nowhere.test", suite.Bob)
	boxText(t, i, suite.Bob, 1)
	suite.Eventually(t, "four recipients are reported", func() bool {
		return strings.Count(boxText(t, i, suite.Ann, 1), "Final-Recipient:") == 4
	})
	got := boxText(t, i, suite.Ann, 1)
	for _, want := range []string{
		"Return-Path: <>", "multipart/report", "report-type=delivery-status", "Auto-Submitted: auto-replied",
		"Reporting-MTA: dns; mx.example.test", "Action: failed",
		"Final-Recipient: rfc822; 550-gone@other.test", "Final-Recipient: rfc822; x@nomail.test", "Status: 5.1.10",
		"Final-Recipient: rfc822; x@loop.test", "Status: 5.4.6", "Final-Recipient: rfc822; x@nowhere.test", "Status: 5.1.2",
		"Diagnostic-Code: smtp; 550", "Subject: to 550-gone@other.test",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got no %q in the report", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	submit(t, i, "x@plain.test")
	suite.Eventually(t, "a domain without MX is found by its address", func() bool { return len(suite.SinkFiles(i)) == 1 })
}

var listedID = regexp.MustCompile(`(?m)^([0-9a-z]{26})\b`)

func TestQueueCommands(t *testing.T) {
	suite.Need(t, "swaks")
	i := suite.Server(t, instance.Options{})
	out := submit(t, i, "450-busy@other.test")
	said := regexp.MustCompile(`250 2\.0\.0 ([0-9a-z]{26}) `).FindStringSubmatch(out)
	if said == nil {
		t.Fatalf("got %s, want the id in the answer", out)
	}
	id := said[1]
	posthorn := func(args ...string) string {
		out, err := i.Posthorn("", args...)
		if err != nil {
			t.Errorf("posthorn %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return out
	}
	suite.Eventually(t, "the message is deferred", func() bool {
		return strings.Contains(posthorn("queue", "show", id), "450")
	})
	if got := listedID.FindStringSubmatch(posthorn("queue", "list")); got == nil || got[1] != id {
		t.Errorf("list: got %q, want %s", got, id)
	}
	posthorn("queue", "hold", id)
	if got := posthorn("queue", "show", id); !strings.Contains(got, "held") {
		t.Errorf("show of a held message: got %s", got)
	}
	posthorn("queue", "release", id)
	posthorn("queue", "flush")
	if out, err := i.Posthorn("", "queue", "remove", "0"+strings.Repeat("z", 25)); err == nil {
		t.Errorf("remove of a message that is not there: got %s, want an error", out)
	}
	posthorn("queue", "remove", id)
	if got := posthorn("queue", "list"); strings.Contains(got, id) {
		t.Errorf("after remove: got %s", got)
	}
	files, _ := filepath.Glob(filepath.Join(i.Dir, "spool", "queue", "*", "*"))
	if len(files) != 0 {
		t.Errorf("after remove: got %q in the spool, want nothing", files)
	}
}

// TestTransport routes one domain by the transport table, refuses another, and
// sends the rest to a smarthost that does not answer.
func TestTransport(t *testing.T) {
	suite.Need(t, "swaks")
	i := suite.Server(t, instance.Options{
		Zone:  "relay.test. 60 IN A 127.0.0.1\n",
		Files: map[string]string{"transport": "far.test smtp:[relay.test]\nno.test error:5.7.1 not there\n"},
		Conf:  "smarthost @example.test [127.0.0.1]:1 tls=none\n",
	})
	submit(t, i, "x@far.test", "x@no.test", "x@other.test")
	suite.Eventually(t, "the routed message", func() bool { return len(suite.SinkFiles(i)) == 1 })
	if got := boxText(t, i, suite.Ann, 1); !strings.Contains(got, "Status: 5.7.1") || !strings.Contains(got, "not there") {
		t.Errorf("got %s, want the table's refusal", got)
	}
	out, err := i.Posthorn("", "queue", "list")
	if err != nil || !listedID.MatchString(out) {
		t.Errorf("got %s, %v, want the message for the dead smarthost in the queue", out, err)
	}
}

func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves the end-to-end tests out")
	}
	bin, err := suite.Built()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	out := suite.Must(t, "", filepath.Join(bin, "demo"), "-bin", bin, "-dir", dir, "-once")
	for _, want := range []string{"over IMAP", "over POP3", "other.test", "Mail goes through.", "\nready\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("got no %q in:\n%s", want, out)
		}
	}
}
