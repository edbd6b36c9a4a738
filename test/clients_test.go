package test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
)

func TestSwaksAndCurl(t *testing.T) {
	need(t, "swaks", "curl")
	i := server(t, instance.Options{})
	out := must(t, "", "swaks", "--server", i.Addr["smtp"], "--from", eve, "--to", bob, "--header", "Subject: by port 25")
	if !strings.Contains(out, "<-  250 2.0.0 ") {
		t.Errorf("swaks: got %s, want a 250 with the id", out)
	}
	for _, early := range []string{"SMTPUTF8", "DSN"} { // not before the whole way honours them
		if strings.Contains(out, "250-"+early) || strings.Contains(out, "250 "+early) {
			t.Errorf("swaks: got %s offered", early)
		}
	}
	must(t, "", "swaks", "--server", i.Addr["submission"], "--tls", "--auth", "LOGIN", "--auth-user", ann, "--auth-password", instance.Password,
		"--from", ann, "--to", bob+","+eve, "--header", "Subject: by submission")
	eventually(t, "two messages in the box", func() bool { return len(boxFiles(i, bob, "")) == 2 })
	eventually(t, "one at the foreign host", func() bool { return len(sinkFiles(i)) == 1 })

	login := bob + ":" + instance.Password
	for _, url := range []string{"imaps://" + i.Addr["imaps"] + "/INBOX;MAILINDEX=1", "imap://" + i.Addr["imap"] + "/INBOX;MAILINDEX=1",
		"pop3s://" + i.Addr["pop3s"] + "/1", "pop3://" + i.Addr["pop3"] + "/1"} {
		out := must(t, "", "curl", "-sS", "-k", "--ssl-reqd", "--user", login, url)
		if !strings.Contains(out, "Subject: by port 25") || !strings.Contains(out, "Received: ") {
			t.Errorf("curl %s: got %s, want the first message", url, out)
		}
	}
}

func TestSubmissionRules(t *testing.T) {
	need(t, "swaks")
	i := server(t, instance.Options{})
	asAnn := []string{"--server", i.Addr["submission"], "--tls", "--auth", "PLAIN", "--auth-user", ann, "--auth-password", instance.Password}
	for _, tc := range []struct {
		name, want string
		args       []string
	}{
		{"port 25 relays nothing", " 550 5.7.1", []string{"--server", i.Addr["smtp"], "--from", eve, "--to", "x@elsewhere.test"}},
		{"unknown users are refused", " 550 5.1.1", []string{"--server", i.Addr["smtp"], "--from", eve, "--to", "nobody@" + instance.Domain}},
		{"no login without TLS", "*** Host did not advertise authentication", []string{"--server", i.Addr["submission"], "--auth", "PLAIN", "--auth-user", ann, "--auth-password", instance.Password, "--from", ann, "--to", bob}},
		{"no mail without login", " 530 5.7.0", []string{"--server", i.Addr["submission"], "--tls", "--from", ann, "--to", bob}},
		{"a foreign sender", " 5.7.1", append([]string{"--from", bob, "--to", eve}, asAnn...)},
		{"a wrong password", " 535 5.7.8", []string{"--server", i.Addr["submission"], "--tls", "--auth", "PLAIN", "--auth-user", ann, "--auth-password", "wrong", "--from", ann, "--to", bob}},
	} {
		out, err := command(t, "", "swaks", tc.args...)
		if err == nil || !strings.Contains(out, tc.want) {
			t.Errorf("%s: got %v, want a refusal with %q:\n%s", tc.name, err, tc.want, out)
		}
	}
	must(t, "", "swaks", append([]string{"--from", "<>", "--to", bob}, asAnn...)...)
	must(t, "", "swaks", "--server", i.Addr["smtp"], "--from", eve, "--to", "postmaster@"+instance.Domain)
}

func TestPython(t *testing.T) {
	need(t, "python3")
	i := server(t, instance.Options{})
	script := filepath.Join("testdata", "clients.py")
	out := must(t, "", "python3", script, port(i, "smtp"), port(i, "submissions"), port(i, "imap"), port(i, "imaps"), port(i, "pop3"), port(i, "pop3s"))
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
	need(t, "mbsync", "curl")
	i := server(t, instance.Options{})
	for range 3 {
		must(t, "From: eve\r\nTo: bob\r\nSubject: hello\r\n\r\ntext\r\n", "curl", "-sS", "smtp://"+i.Addr["smtp"], "--mail-from", eve, "--mail-rcpt", bob, "-T", "-")
	}
	eventually(t, "three messages in the box", func() bool { return len(boxFiles(i, bob, "")) == 3 })
	dir := t.TempDir()
	rc := filepath.Join(dir, "mbsyncrc")
	text := strings.NewReplacer("%DIR%", dir, "%PORT%", port(i, "imaps"), "%USER%", bob, "%PASS%", instance.Password,
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
	must(t, "", "mbsync", "-c", rc, "c")
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
	out := must(t, "", "mbsync", "-c", rc, "c")
	if got := len(boxFiles(i, bob, "")); got != 2 {
		t.Errorf("got %d messages after the second sync, want 2 with one expunged:\n%s", got, out)
	}
	if got := boxFiles(i, bob, ".Work"); len(got) != 1 || !strings.Contains(got[0], ":2,S") {
		t.Errorf("folder Work: got %q, want the message filed there, read", got)
	}
	again := must(t, "", "mbsync", "-c", rc, "c")
	if near, _ := filepath.Glob(filepath.Join(dir, "mail", "INBOX", "*", "*,U=*")); len(near) != 2 {
		t.Errorf("got %d messages after the third sync, want the same 2:\n%s", len(near), again)
	}
}
