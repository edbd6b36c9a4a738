package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// refile gives the client's message of that subject new flags, as a mail reader
// on the same Maildir does; flags of "-" remove it.
func (d *desk) refile(name, subject, flags string) {
	d.t.Helper()
	for _, file := range d.files([]string{name}) {
		text, _ := os.ReadFile(file)
		if field(text, "Subject") != subject {
			continue
		}
		base, _, _ := strings.Cut(filepath.Base(file), ":")
		err := os.Rename(file, filepath.Join(d.home, name, "cur", base+":2,"+flags))
		if flags == "-" {
			err = os.Remove(filepath.Join(d.home, name, "cur", base+":2,-"))
		}
		if err != nil {
			d.t.Fatal(err)
		}
		return
	}
	d.t.Fatalf("%s: no message %s", name, subject)
}

// curl gives IMAP commands, one after the other, outside the client under test.
func (d *desk) curl(folder string, commands ...string) {
	d.t.Helper()
	for _, c := range commands {
		d.run("", "curl", "-sS", "--cacert", "%CA%", "--user", "%BOB%:%PASS%", "imaps://localhost:%imaps%/"+folder, "-X", c)
	}
}

// syncs is what mbsync and offlineimap must do alike; sync returns what was
// printed, tree is the client's folder name for a folder of the server, gone
// the flags that remove a message, as in refile.
func (d *desk) syncs(sync func() string, tree func(folder string) string, gone string) {
	d.t.Helper()
	inbox, work := tree("INBOX"), tree("Work")
	d.mail("one", "two", "three")
	sync()
	d.wantLocal(inbox, "one: three: two:")

	// The client's side: flags, a message removed, one filed in a new folder.
	d.refile(inbox, "one", "RS")
	d.refile(inbox, "two", gone)
	d.maildir(work)
	d.file(work+"/cur/1.x:2,S", "Subject: filed\nFrom: bob\n\ntext\n")
	sync()
	d.wantBox("", "one:RS three:")
	d.wantBox(".Work", "filed:S")
	d.wantLocal(inbox, "one:RS three:")

	// The server's side: the same, and mail that arrives.
	d.curl("INBOX", `STORE 2 +FLAGS (\Flagged)`, `COPY 1 Work`, "CREATE Later.2027", `COPY 1:* Later.2027`, `STORE 1 FLAGS (\Deleted)`, "EXPUNGE")
	d.mail("four")
	sync()
	d.wantLocal(inbox, "four: three:F")
	d.wantLocal(work, "filed:S one:RS")
	d.wantLocal(tree("Later.2027"), "one:RS three:F")
	d.wantBox("", "four: three:F")
}

// idle syncs once more and wants the client's files to stay as they are, their
// names included: nothing is downloaded twice.
func (d *desk) idle(sync func() string, names ...string) {
	d.t.Helper()
	before := strings.Join(d.files(names), "\n")
	out := sync()
	if after := strings.Join(d.files(names), "\n"); after != before {
		d.t.Errorf("got files\n%s\nwant those of before\n%s\n%s", after, before, out)
	}
}

const mbsyncrc = `IMAPAccount a
Host localhost
Port %PORT%
User %BOB%
Pass %PASS%
SSLType %TLS%
CertificateFile %CA%
AuthMechs %AUTH%

IMAPStore far
Account a

MaildirStore near
Inbox %HOME%/mail/INBOX
SubFolders Maildir++

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Remove Both
SyncState *
`

func TestMbsync(t *testing.T) {
	for _, tc := range []struct{ name, port, tls, auth string }{
		{"TLS", "%imaps%", "IMAPS", "PLAIN"},
		{"STARTTLS", "%imap%", "STARTTLS", "LOGIN"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, "mbsync", "curl")
			rc := d.file("mbsyncrc", strings.NewReplacer("%PORT%", tc.port, "%TLS%", tc.tls, "%AUTH%", tc.auth).Replace(mbsyncrc))
			d.maildir("mail/INBOX")
			sync := func() string { return d.run("", "mbsync", "-c", rc, "c") }
			d.syncs(sync, func(folder string) string {
				if folder == "INBOX" {
					return "mail/INBOX"
				}
				return "mail/INBOX/." + folder
			}, "FST")
			d.idle(sync, "mail/INBOX", "mail/INBOX/.Work", "mail/INBOX/.Later.2027")
		})
	}
}

func TestOfflineimap(t *testing.T) {
	d := newDesk(t, "offlineimap", "curl")
	rc := d.file("offlineimaprc", `[general]
accounts = a
metadata = %HOME%/state
ui = basic
socktimeout = 30
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = %HOME%/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = %imaps%
remoteuser = %BOB%
remotepass = %PASS%
ssl = yes
sslcacertfile = %CA%
`)
	sync := func() string { return d.run("", "offlineimap", "-o", "-c", rc) }
	d.syncs(sync, func(folder string) string { return "mail/" + folder }, "-")
	d.idle(sync, "mail/INBOX", "mail/Work", "mail/Later.2027")
	if out := sync(); strings.Contains(out, "Copy message") {
		t.Errorf("a sync without changes: got %s", out)
	}
}
