package test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

func TestSwaksAndCurl(t *testing.T) {
	suite.Need(t, "swaks", "curl")
	i := suite.Server(t, instance.Options{})
	out := suite.Must(t, "", "swaks", "--server", i.Addr["smtp"], "--from", suite.Eve, "--to", suite.Bob, "--header", "Subject: by port 25")
	if !strings.Contains(out, "<-  250 2.0.0 ") {
		t.Errorf("swaks: got %s, want a 250 with the id", out)
	}
	for _, early := range []string{"SMTPUTF8", "DSN"} { // not before the whole way honours them
		if strings.Contains(out, "250-"+early) || strings.Contains(out, "250 "+early) {
			t.Errorf("swaks: got %s offered", early)
		}
	}
	suite.Must(t, "", "swaks", "--server", i.Addr["submission"], "--tls", "--auth", "LOGIN", "--auth-user", suite.Ann, "--auth-password", instance.Password,
		"--from", suite.Ann, "--to", suite.Bob+","+suite.Eve, "--header", "Subject: by submission")
	suite.Eventually(t, "two messages in the box", func() bool { return len(suite.BoxFiles(i, suite.Bob, "")) == 2 })
	suite.Eventually(t, "one at the foreign host", func() bool { return len(suite.SinkFiles(i)) == 1 })

	login := suite.Bob + ":" + instance.Password
	for _, url := range []string{"imaps://" + i.Addr["imaps"] + "/INBOX;MAILINDEX=1", "imap://" + i.Addr["imap"] + "/INBOX;MAILINDEX=1",
		"pop3s://" + i.Addr["pop3s"] + "/1", "pop3://" + i.Addr["pop3"] + "/1"} {
		out := suite.Must(t, "", "curl", "-sS", "-k", "--ssl-reqd", "--user", login, url)
		if !strings.Contains(out, "Subject: by port 25") || !strings.Contains(out, "Received: ") {
			t.Errorf("curl %s: got %s, want the first message", url, out)
		}
	}
}

func TestSubmissionRules(t *testing.T) {
	suite.Need(t, "swaks")
	i := suite.Server(t, instance.Options{})
	asAnn := []string{"--server", i.Addr["submission"], "--tls", "--auth", "PLAIN", "--auth-user", suite.Ann, "--auth-password", instance.Password}
	for _, tc := range []struct {
		name, want string
		args       []string
	}{
		{"port 25 relays nothing", " 550 5.7.1", []string{"--server", i.Addr["smtp"], "--from", suite.Eve, "--to", "x@elsewhere.test"}},
		{"unknown users are refused", " 550 5.1.1", []string{"--server", i.Addr["smtp"], "--from", suite.Eve, "--to", "nobody@" + instance.Domain}},
		{"no login without TLS", "*** Host did not advertise authentication", []string{"--server", i.Addr["submission"], "--auth", "PLAIN", "--auth-user", suite.Ann, "--auth-password", instance.Password, "--from", suite.Ann, "--to", suite.Bob}},
		{"no mail without login", " 530 5.7.0", []string{"--server", i.Addr["submission"], "--tls", "--from", suite.Ann, "--to", suite.Bob}},
		{"a foreign sender", " 5.7.1", append([]string{"--from", suite.Bob, "--to", suite.Eve}, asAnn...)},
		{"a wrong password", " 535 5.7.8", []string{"--server", i.Addr["submission"], "--tls", "--auth", "PLAIN", "--auth-user", suite.Ann, "--auth-password", "wrong", "--from", suite.Ann, "--to", suite.Bob}},
	} {
		out, err := suite.Command(t, "", "swaks", tc.args...)
		if err == nil || !strings.Contains(out, tc.want) {
			t.Errorf("%s: got %v, want a refusal with %q:\n%s", tc.name, err, tc.want, out)
		}
	}
	suite.Must(t, "", "swaks", append([]string{"--from", "<>", "--to", suite.Bob}, asAnn...)...)
	suite.Must(t, "", "swaks", "--server", i.Addr["smtp"], "--from", suite.Eve, "--to", "postmaster@"+instance.Domain)
}

func TestPython(t *testing.T) {
	suite.Need(t, "python3")
	i := suite.Server(t, instance.Options{})
	script := filepath.Join("testdata", "clients.py")
	out := suite.Must(t, "", "python3", script, port(i, "smtp"), port(i, "submissions"), port(i, "imap"), port(i, "imaps"), port(i, "pop3"), port(i, "pop3s"))
	if !strings.Contains(out, "all good") {
		t.Errorf("got %s", out)
	}
}

func port(i *instance.Instance, service string) string {
	_, p, _ := net.SplitHostPort(i.Addr[service])
	return p
}

// TestMbsync pulls a box, changes it on both sides and syncs again: nothing is
// downloaded twice.
func TestMbsync(t *testing.T) {
	suite.Need(t, "mbsync", "curl")
	i := suite.Server(t, instance.Options{})
	for range 3 {
		suite.Must(t, "From: eve\r\nTo: bob\r\nSubject: hello\r\n\r\ntext\r\n", "curl", "-sS", "smtp://"+i.Addr["smtp"], "--mail-from", suite.Eve, "--mail-rcpt", suite.Bob, "-T", "-")
	}
	suite.Eventually(t, "three messages in the box", func() bool { return len(suite.BoxFiles(i, suite.Bob, "")) == 3 })
	dir := t.TempDir()
	rc := filepath.Join(dir, "mbsyncrc")
	text := strings.NewReplacer("%DIR%", dir, "%PORT%", port(i, "imaps"), "%USER%", suite.Bob, "%PASS%", instance.Password,
		"%CERT%", filepath.Join(i.Dir, "tls.pem")).Replace(`IMAPAccount a
Host localhost
Port %PORT%
User %USER%
Pass %PASS%
SSLType IMAPS
CertificateFile %CERT%

IMAPStore far
Account a

MaildirStore near
Inbox %DIR%/mail/INBOX
SubFolders Maildir++

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
`)
	os.WriteFile(rc, []byte(text), 0o600)
	os.MkdirAll(filepath.Join(dir, "mail"), 0o700)
	suite.Must(t, "", "mbsync", "-c", rc, "c")
	near, _ := filepath.Glob(filepath.Join(dir, "mail", "INBOX", "*", "*,U=*"))
	if len(near) != 3 {
		t.Fatalf("got %d messages after the first sync, want 3", len(near))
	}
	// Mark one as read and another as deleted on the near side, and make a
	// folder there.
	for n, flags := range []string{"S", "T"} {
		base, _, _ := strings.Cut(filepath.Base(near[n]), ":")
		os.Rename(near[n], filepath.Join(dir, "mail", "INBOX", "cur", base+":2,"+flags))
	}
	for _, sub := range []string{"cur", "new", "tmp"} {
		os.MkdirAll(filepath.Join(dir, "mail", "INBOX", ".Work", sub), 0o700)
	}
	os.WriteFile(filepath.Join(dir, "mail", "INBOX", ".Work", "cur", "1.x:2,S"), []byte("Subject: filed\n\ntext\n"), 0o600)
	out := suite.Must(t, "", "mbsync", "-c", rc, "c")
	if got := len(suite.BoxFiles(i, suite.Bob, "")); got != 2 {
		t.Errorf("got %d messages after the second sync, want 2 with one expunged:\n%s", got, out)
	}
	if got := suite.BoxFiles(i, suite.Bob, ".Work"); len(got) != 1 || !strings.Contains(got[0], ":2,S") {
		t.Errorf("folder Work: got %q, want the message filed there, read", got)
	}
	again := suite.Must(t, "", "mbsync", "-c", rc, "c")
	if near, _ := filepath.Glob(filepath.Join(dir, "mail", "INBOX", "*", "*,U=*")); len(near) != 2 {
		t.Errorf("got %d messages after the third sync, want the same 2:\n%s", len(near), again)
	}
}
