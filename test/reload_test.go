package test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestReload: a table with a mistake is refused by name and line while the old
// one serves, and no reload ends a session.
func TestReload(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	imap, pop3, smtp := dial(t, i.Addr["imap"]), dial(t, i.Addr["pop3"]), dial(t, i.Addr["smtp"])
	fromIMAP, fromPOP3, fromSMTP := bufio.NewReader(imap), bufio.NewReader(pop3), bufio.NewReader(smtp)
	say := func(c io.Writer, r *bufio.Reader, line, want string) {
		t.Helper()
		io.WriteString(c, line+"\r\n")
		for {
			got := readLine(t, r)
			if strings.HasPrefix(got, want) {
				return
			}
			if !strings.HasPrefix(got, "* ") && !strings.HasPrefix(got, "220 ") && !strings.HasPrefix(got, "+OK ") {
				t.Fatalf("%s: got %q, want %q", line, got, want)
			}
		}
	}
	say(imap, fromIMAP, fmt.Sprintf("a LOGIN %s %s", suite.Bob, instance.Password), "a OK")
	say(imap, fromIMAP, "b SELECT INBOX", "b OK")
	readLine(t, fromPOP3)
	say(pop3, fromPOP3, "USER "+suite.Ann, "+OK")
	say(pop3, fromPOP3, "PASS "+instance.Password, "+OK")
	say(smtp, fromSMTP, "HELO a", "250")
	say(smtp, fromSMTP, "MAIL FROM:<"+suite.Eve+">", "250")

	users := filepath.Join(i.Dir, "users")
	good, err := os.ReadFile(users)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(users, append([]byte("nonsense\n"), good...), 0o640)
	out, err := i.Posthorn("", "reload")
	if err == nil || !strings.Contains(out, "authd: ") || !strings.Contains(out, "users:1: ") {
		t.Errorf("reload with a mistake in users: got %v, %q, want authd named with file and line", err, out)
	}
	say(smtp, fromSMTP, "RCPT TO:<"+suite.Bob+">", "250") // by the old table
	os.WriteFile(users, good, 0o640)
	if out, err := i.Posthorn("", "reload"); err != nil || out != "reloaded\n" {
		t.Errorf("reload of the mended table: got %v, %q", err, out)
	}
	say(imap, fromIMAP, "c NOOP", "c OK")
	say(pop3, fromPOP3, "STAT", "+OK")
	say(smtp, fromSMTP, "RSET", "250")
	for _, name := range []string{"smtpd", "imapd", "pop3d", "imap-session", "pop3-session", "authd", "queued", "deliver", "queue-remote"} {
		if _, ok := i.WaitLog(suite.Limit, func(l string) bool { return strings.HasPrefix(l, name+": reloaded ") }); ok != nil {
			t.Errorf("%s has not reloaded", name)
		}
	}
}
