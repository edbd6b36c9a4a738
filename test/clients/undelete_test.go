package clients

import (
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// removing removes all that a client has, or looks what there is.
const removing = `
import imaplib, ssl, sys
i = imaplib.IMAP4_SSL("127.0.0.1", int(sys.argv[1]), ssl_context=ssl._create_unverified_context())
i.login(sys.argv[2], sys.argv[3])
if sys.argv[4] == "remove":
    i.create("Work")
    i.append("Work", "(\\Seen Blue)", '"05-Oct-2026 10:00:00 +0200"', b"Subject: work\r\n\r\nwork\r\n")
    i.select("INBOX")
    i.store("1:*", "+FLAGS", "\\Deleted")
    i.expunge()
    i.select("Work")
    i.store("1", "+FLAGS", "\\Deleted")
    i.close()
    i.delete("Work")
i.select("INBOX")
print(i.search(None, "ALL")[1][0].decode(), sorted(line.decode().split()[-1].strip('"') for line in i.list()[1]))
if sys.argv[4] == "look":
    i.select("Work")
    print(i.search(None, "KEYWORD", "Blue", "SEEN", "UNDELETED")[1][0].decode(), i.fetch("1", "(INTERNALDATE)")[1][0].decode())
`

// TestUndelete is Python's imaplib before and after the administrator has helped.
func TestUndelete(t *testing.T) {
	suite.Need(t, "/usr/bin/python3")
	t.Parallel()
	d := (&desk{Instance: suite.Server(t, instance.Options{Conf: "undelete 7d\n"})}).at(t)
	d.mail("first", "second")
	client := func(what string) string {
		return d.run("", "/usr/bin/python3", "-c", removing, "%imaps%", "%BOB%", "%PASS%", what)
	}
	if got := client("remove"); got != " ['INBOX']\n" {
		t.Errorf("removed: got %q, want nothing", got)
	}
	out, err := d.Posthorn("", "undelete", "bob")
	if err != nil || !strings.Contains(out, "first") || !strings.Contains(out, "second") || !strings.Contains(out, "work") {
		t.Errorf("got the list %q, %v", out, err)
	}
	if out, err := d.Posthorn("", "undelete", "-since", "1h", "bob"); err != nil {
		t.Errorf("got %q, %v", out, err)
	}
	want := "1 2 ['INBOX', 'Work']\n1 1 (INTERNALDATE \" 5-Oct-2026 08:00:00 +0000\")\n"
	if got := client("look"); got != want {
		t.Errorf("given back: got %q, want %q", got, want)
	}
}
