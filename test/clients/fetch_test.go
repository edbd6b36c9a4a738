package clients

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// fetcher takes mail out of a box and puts it into the Maildir "mail".
type fetcher struct {
	name    string
	program string
	conf    string // its file, where %KEEP% becomes keep or drop
	keep    string // leaves the mail on the server and remembers what was had
	drop    string // removes it there
	args    []string
	idle    int // the exit status that says that nothing is new
}

// mda delivers into the Maildir "mail" for those who need a program for it.
const mda = `#!/bin/sh
exec cat >%HOME%/mail/new/$$.$(date +%s%N).x
`

// slow is mda that takes its time: getmail waits a minute for a child that has
// ended before it begins to wait.
const slow = `#!/bin/sh
sleep 0.3
exec %HOME%/mda
`

const getmailrc = `[retriever]
type = Simple%TYPE%
server = localhost
port = %PORT%
username = %BOB%
password = %PASS%
ca_certs = %CA%
[destination]
type = MDA_external
path = %HOME%/slow
[options]
%KEEP%
delivered_to = false
received = false
`

const fetchmailrc = `set no bouncemail
poll localhost with proto %TYPE% port %PORT%
  user "%BOB%" pass "%PASS%" is bob here %TLS%
  sslcertck sslcertfile "%CA%"
  %KEEP%
  mda "%HOME%/mda"
`

const mpoprc = `account default
host localhost
port %PORT%
user %BOB%
password %PASS%
auth user
tls on
tls_starttls %TLS%
tls_trust_file %CA%
%KEEP%
received_header off
delivery maildir %HOME%/mail
uidls_file %HOME%/uidls
`

const fdmconf = `set lock-types flock
set lock-file "%HOME%/lock"
set verify-certificates
set no-received
account "a" %TYPE% server "localhost" port %PORT% user "%BOB%" pass "%PASS%" %KEEP%
action "local" maildir "%HOME%/mail"
match all action "local"
`

var fetchers = []fetcher{
	{name: "getmail POP3 TLS", program: "getmail", conf: words(getmailrc, "POP3SSLRetriever", "%pop3s%", ""), keep: "read_all = false\ndelete = false", drop: "read_all = false\ndelete = true",
		args: []string{"--getmaildir", "%HOME%", "--rcfile", "%HOME%/rc"}},
	{name: "getmail IMAP TLS", program: "getmail", conf: words(getmailrc, "IMAPSSLRetriever", "%imaps%", ""), keep: "read_all = false\ndelete = false", drop: "read_all = false\ndelete = true",
		args: []string{"--getmaildir", "%HOME%", "--rcfile", "%HOME%/rc"}},
	{name: "fetchmail POP3 TLS", program: "fetchmail", conf: words(fetchmailrc, "pop3 uidl", "%pop3s%", "ssl"), keep: "keep", drop: "no keep",
		args: []string{"-f", "%HOME%/rc", "--idfile", "%HOME%/ids", "--pidfile", "%HOME%/pid"}, idle: 1},
	{name: "fetchmail POP3 STLS", program: "fetchmail", conf: words(fetchmailrc, "pop3 uidl", "%pop3%", "sslproto TLS1.2+"), keep: "keep", drop: "no keep",
		args: []string{"-f", "%HOME%/rc", "--idfile", "%HOME%/ids", "--pidfile", "%HOME%/pid"}, idle: 1},
	{name: "fetchmail IMAP TLS", program: "fetchmail", conf: words(fetchmailrc, "imap", "%imaps%", "ssl"), keep: "keep", drop: "no keep",
		args: []string{"-f", "%HOME%/rc", "--idfile", "%HOME%/ids", "--pidfile", "%HOME%/pid"}, idle: 1},
	{name: "mpop TLS", program: "mpop", conf: words(mpoprc, "", "%pop3s%", "off"), keep: "keep on", drop: "keep off", args: []string{"-C", "%HOME%/rc"}},
	{name: "mpop STLS", program: "mpop", conf: words(mpoprc, "", "%pop3%", "on"), keep: "keep on", drop: "keep off", args: []string{"-C", "%HOME%/rc"}},
	{name: "fdm POP3 TLS", program: "fdm", conf: words(fdmconf, "pop3s", "%pop3s%", ""), keep: `new-only cache "%HOME%/cache" keep`, drop: `new-only cache "%HOME%/cache"`,
		args: []string{"-f", "%HOME%/rc", "fetch"}},
	{name: "fdm IMAP TLS", program: "fdm", conf: words(fdmconf, "imaps", "%imaps%", ""), keep: "new-only keep", drop: "",
		args: []string{"-f", "%HOME%/rc", "fetch"}},
	{name: "fdm POP3 plain", program: "fdm", conf: words(fdmconf, "pop3", "%pop3%", ""), keep: `new-only cache "%HOME%/cache" keep`, drop: `new-only cache "%HOME%/cache"`,
		args: []string{"-f", "%HOME%/rc", "fetch"}},
}

// words fills in what differs between the accounts of one program.
func words(conf, kind, port, tls string) string {
	return strings.NewReplacer("%TYPE%", kind, "%PORT%", port, "%TLS%", tls).Replace(conf)
}

// TestFetchers: mail is fetched once, what came since at the next run, and what
// is not to be kept is gone from the server then.
func TestFetchers(t *testing.T) {
	for _, f := range fetchers {
		t.Run(f.name, func(t *testing.T) {
			d := newDesk(t, f.program)
			d.maildir("mail")
			d.run("", "chmod", "700", d.file("mda", mda), d.file("slow", slow))
			d.mail("one", "two")
			d.fetch(f, f.keep)
			d.wantLocal("mail", "one: two:")
			d.wantSame("mail", "one", "two")
			d.mail("three")
			d.fetch(f, f.keep)
			d.wantLocal("mail", "one: three: two:")
			d.fetch(f, f.keep)
			d.wantLocal("mail", "one: three: two:")
			if got := len(strings.Fields(d.box(""))); got != 3 {
				t.Errorf("got %d messages left on the server, want 3", got)
			}
			d.mail("four")
			d.fetch(f, f.drop)
			if got := d.local("mail"); !strings.HasPrefix(got, "four: ") {
				t.Errorf("the client: got %s, want four too", got)
			}
			if got := d.box(""); strings.Contains(got, "four") {
				t.Errorf("the server: got %s, want four removed", got)
			}
		})
	}
}

// fetch runs f with the given way of keeping.
func (d *desk) fetch(f fetcher, keep string) {
	d.t.Helper()
	d.file("rc", strings.ReplaceAll(f.conf, "%KEEP%", keep))
	out, err := d.try("", f.program, slices.Clone(f.args)...)
	if exit := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == f.idle) {
		d.t.Fatalf("%s: %v\n%s", f.name, err, out)
	}
}
