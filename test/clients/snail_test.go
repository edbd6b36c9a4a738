package clients

import (
	"strings"
	"testing"
)

// TestSnail reads, files and removes mail with s-nail, in a box at the server.
func TestSnail(t *testing.T) {
	for _, tc := range []struct{ name, box string }{
		{"imaps", "imaps://bob%40example.test:%PASS%@localhost:%imaps%/INBOX"},
		{"imap STARTTLS", "imap://bob%40example.test:%PASS%@localhost:%imap%/INBOX"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, "s-nail")
			d.mail("one", "two", "three")
			out := d.snail(tc.box, "type 1\nflag 2\ncopy 3 %HOME%/three\ndelete 3\nquit\n", "-Simap-use-starttls")
			if !strings.Contains(out, "The text of one.") {
				t.Errorf("type: got %s", out)
			}
			d.wantBox("", "one:S two:F")
			if got := body(d.only("three")); !strings.Contains(got, "The text of three.") {
				t.Errorf("the copy: got %q", got)
			}
		})
	}
	for _, tc := range []struct{ name, box string }{
		{"pop3s", "pop3s://bob%40example.test:%PASS%@localhost:%pop3s%"},
		{"pop3 STLS", "pop3://bob%40example.test:%PASS%@localhost:%pop3%"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, "s-nail")
			d.mail("one", "two", "three")
			out := d.snail(tc.box, "type 1\ndelete 3\nquit\n", "-Spop3-use-starttls")
			if !strings.Contains(out, "The text of one.") {
				t.Errorf("type: got %s", out)
			}
			d.wantBox("", "one:S two:")
		})
	}
}

// snail gives s-nail commands for a box.
func (d *desk) snail(box, commands string, args ...string) string {
	d.t.Helper()
	args = append([]string{"-:/", "-Sv15-compat=yes", "-Stls-ca-file=%CA%", "-Stls-verify=strict", "-Shold", "-#"}, args...)
	return d.run(commands, "s-nail", append(args, "-f", box)...)
}
