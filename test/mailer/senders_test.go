package mailer

import (
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestSenders has each program send a message by the command line that it uses.
func TestSenders(t *testing.T) {
	d := newDesk(t, instance.Options{})
	for _, tc := range []struct {
		name    string // and the message's subject
		program string // that must be installed
		line    string
		text    string // of the message
		from    string // "" is whoever runs it
	}{
		{"cron", "", `printf 'From: root (Cron Daemon)\nTo: root\nSubject: cron\n\nout\n.\nmore\n' | $SENDMAIL -i -FCronDaemon -B8BITMIME -oem root`, "out\n.\nmore\n", "root" + origin},
		{"mdadm", "", `printf 'From: mdadm monitoring <root>\nTo: root\nSubject: mdadm\n\nfail\n' | $SENDMAIL -t`, "fail\n", "root" + origin},
		{"smartd", "", `printf 'To: root\nSubject: smartd\n\nbad\n' | $SENDMAIL -oi -t -f smartd@host.test`, "bad\n", "smartd@host.test"},
		{"logwatch", "", `printf 'To: root\nFrom: Logwatch\nSubject: logwatch\nMIME-Version: 1.0\n\nlog\n' | $SENDMAIL -t`, "log\n", "Logwatch" + origin},
		{"apticron", "", `printf 'Subject: apticron\n\nx\n' | $SENDMAIL -- root`, "x\n", ""},
		{"fcron", "", `printf 'To: root\nSubject: fcron\n\nx\n' | $SENDMAIL -Ffcron -odi root`, "x\n", ""},
		{"php", "php", `php -d "sendmail_path=$SENDMAIL -t -i" -r 'mail("root", "php", "line one\r\n.\r\nline two\n", "Cc: bob@` + instance.Domain + `", "-fweb@host.test") or exit(1);'`,
			"line one\n.\nline two\n\n", "web@host.test"},
		{"s-nail", "s-nail", `echo hi | s-nail -n -Smta=$SENDMAIL -Smta-argv0=sendmail -Sv15-compat -s s-nail root`, "hi\n", ""},
		{"mutt", "mutt", `echo hi | mutt -n -F /dev/null -e "set sendmail='$SENDMAIL -oem -oi' copy=no use_from=no use_domain=no" -s mutt root`, "hi\n", ""},
		{"neomutt", "neomutt", `echo hi | neomutt -n -F /dev/null -e "set sendmail='$SENDMAIL -oem -oi' copy=no use_from=no use_domain=no" -s neomutt root`, "hi\n", ""},
		{"perl", "perl", `perl -e 'open(my $m, "|-", $ENV{SENDMAIL}, "-t", "-oi") or die; print $m "To: root\nSubject: perl\n\nhi\n"; close($m) or exit 1'`, "hi\n", ""},
		{"python", "python3", `python3 -c 'import os,subprocess; subprocess.run([os.environ["SENDMAIL"],"-t","-oi"], input=b"To: root\nSubject: python\n\nhi\n", check=True)'`, "hi\n", ""},
		{"bs", "", `printf 'EHLO x\nMAIL FROM:<ann>\nRCPT TO:<root>\nDATA\nSubject: bs\nFrom: a@b.test\n\nhi\n.\nQUIT\n' | $SENDMAIL -bs`, "hi\n", "a@b.test"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.program != "" {
				suite.Need(t, tc.program)
			}
			d := &desk{Instance: d.Instance, t: t, home: d.home}
			d.sh(tc.line)
			m := d.message(suite.Ann, tc.name)
			d.complete(m, strconv.Itoa(os.Getuid()))
			if got := text(t, m); got != tc.text {
				t.Errorf("got the text %q, want %q", got, tc.text)
			}
			from, err := mail.ParseAddress(m.Header.Get("From"))
			if err != nil || tc.from != "" && from.Address != tc.from || tc.from == "" && !strings.HasSuffix(from.Address, origin) {
				t.Errorf("got From %q, %v, want %q", m.Header.Get("From"), err, tc.from)
			}
		})
	}
}

// TestGitSendEmail: what git takes for a host with a slash in it is a sendmail.
func TestGitSendEmail(t *testing.T) {
	suite.Need(t, "git")
	suite.Need(t, filepath.Join(strings.TrimSpace(suite.Must(t, "", "git", "--exec-path")), "git-send-email"))
	d := newDesk(t, instance.Options{})
	d.sh(`printf 'From: Ann <ann@` + instance.Domain + `>\nSubject: [PATCH] git\nDate: Sun, 22 Nov 2026 10:00:00 +0000\n\nx\n---\n' >p.patch &&
		git -c user.name=Ann -c user.email=ann@` + instance.Domain + ` send-email --quiet --confirm=never --smtp-server=$SENDMAIL --from=ann@` + instance.Domain + ` --to=bob@` + instance.Domain + ` --suppress-cc=all p.patch`)
	d.complete(d.message(suite.Bob, "[PATCH] git"), strconv.Itoa(os.Getuid()))
}

// TestUsers: each user is known by his uid, whatever he says, and one whom no
// directory knows sends mail too.
func TestUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: run the tests as root to include it")
	}
	d := newDesk(t, instance.Options{})
	for _, tc := range []struct {
		uid        int
		line, from string
	}{
		{65534, "$SENDMAIL root", "nobody" + origin},
		{61999, "$SENDMAIL root", "uid61999" + origin},
		{61999, "$SENDMAIL -f root root", "root" + origin},
	} {
		subject := "as " + strconv.Itoa(tc.uid) + " " + tc.line
		r := d.run(call{uid: tc.uid, line: tc.line, stdin: strings.NewReader("Subject: " + subject + "\n\nhi\n")})
		if r.code != 0 {
			t.Fatalf("%s: got %d, %s", subject, r.code, r.out)
		}
		m := d.message(suite.Ann, subject)
		d.complete(m, strconv.Itoa(tc.uid))
		if got, err := mail.ParseAddress(m.Header.Get("From")); err != nil || got.Address != tc.from {
			t.Errorf("%s: got From %q, %v, want %s", subject, m.Header.Get("From"), err, tc.from)
		}
	}
	for name, uid := range instance.UIDs {
		r := d.run(call{uid: uid, line: "$SENDMAIL -O Timeout.submit=0s root", stdin: strings.NewReader("\nhi\n")})
		if r.code != 75 || !strings.Contains(r.out, "daemons submit no mail") {
			t.Errorf("%s: got %d, %q, want 75: a daemon submits nothing", name, r.code, r.out)
		}
	}
}
