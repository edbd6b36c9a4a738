package dovecot

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// plain is what a client sees of a folder without the UIDs, sorted.
func plain(lines []string) []string {
	out := slices.Clone(lines)
	for n, line := range out {
		out[n] = regexp.MustCompile(`^UID \d+ `).ReplaceAllString(line, "")
	}
	slices.Sort(out)
	return out
}

// posthorn runs the administrator's command.
func posthorn(t *testing.T, i *instance.Instance, args ...string) string {
	t.Helper()
	out, err := i.Posthorn("", args...)
	if err != nil {
		t.Fatalf("posthorn %q: %v: %s", args, err, out)
	}
	return out
}

// TestUndelete has a client remove messages, over POP3 too, and a folder; the
// administrator gives all of it back, and nobody else sees where it was, Dovecot
// on the same Maildir neither.
func TestUndelete(t *testing.T) {
	i := suite.Server(t, instance.Options{Conf: "undelete 7d\n"})
	s := ours(t, i)
	fill(s)
	s.do("SELECT INBOX")
	s.do(`UID STORE 6,12 -FLAGS (\Deleted)`)
	s.do("CLOSE")
	before, sent := s.folder("INBOX"), s.folder("Sent")
	s.do("SELECT INBOX")
	s.do(`UID STORE 2:4 +FLAGS (\Deleted)`)
	s.do("EXPUNGE")
	s.do("DELETE Sent")
	other := ours(t, i) // POP3 takes the first of what is left
	other.do("SELECT INBOX")
	conn := dial(t, i, "pop3s")
	in := bufio.NewReader(conn)
	for _, command := range []string{"USER " + suite.Bob, "PASS " + instance.Password, "DELE 1", "QUIT", ""} {
		if line, err := in.ReadString('\n'); !strings.HasPrefix(line, "+OK") {
			t.Fatalf("POP3: got %q, %v before %q", line, err, command)
		}
		fmt.Fprintf(conn, "%s\r\n", command)
	}
	p := newPeer(t, bobs(i))
	same(t, "while it is kept", p.imap(t).sight(), ours(t, i).sight())
	if names := p.imap(t).names("LIST"); slices.Contains(names, "Sent") || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "undelete") }) {
		t.Errorf("got the folders %q", names)
	}
	if list := posthorn(t, i, "undelete", "bob"); strings.Count(list, "\n") != 1+4+2 || !strings.Contains(list, "message 3") {
		t.Errorf("got the list\n%s", list)
	}
	t.Log(posthorn(t, i, "undelete", "-all", "bob"))
	suite.Eventually(t, "a session is told", func() bool {
		return slices.ContainsFunc(other.do("NOOP"), func(line string) bool { return strings.HasPrefix(line, "* ") && strings.HasSuffix(line, " EXISTS") })
	})
	s = ours(t, i)
	if got := s.folder("INBOX"); !slices.Equal(plain(got), plain(before)) {
		t.Errorf("INBOX: got\n%s\nwant\n%s", strings.Join(plain(got), "\n"), strings.Join(plain(before), "\n"))
	}
	if got := s.folder("Sent"); !slices.Equal(got, sent) {
		t.Errorf("Sent: got %q, want %q: as it was", got, sent)
	}
	same(t, "at the end", p.imap(t).sight(), s.sight())
}

// TestDovecotReadsTheAttic: what was removed on a day is a Maildir++ of its own,
// which other programs read.
func TestDovecotReadsTheAttic(t *testing.T) {
	i := suite.Server(t, instance.Options{Conf: "undelete 1d\n"})
	s := ours(t, i)
	fill(s)
	var want [][]string
	for _, name := range []string{"INBOX", drafts} {
		want = append(want, s.folder(name))
		s.do("SELECT %q", name)
		s.do(`UID STORE 1:* +FLAGS (\Deleted)`)
		s.do("EXPUNGE")
	}
	s.logout()
	days, err := filepath.Glob(filepath.Join(bobs(i), "posthorn-undelete", "*"))
	if err != nil || len(days) != 1 {
		t.Fatalf("got %q, %v, want a day", days, err)
	}
	d := newPeer(t, days[0]).imap(t)
	for n, name := range []string{"INBOX", drafts} {
		flagged := func(lines []string) []string {
			lines = plain(lines[1:]) // without UIDVALIDITY
			for n, line := range lines {
				lines[n] = strings.NewReplacer(`\Deleted `, "", ` \Deleted`, "", `\Deleted`, "").Replace(line)
			}
			slices.Sort(lines)
			return lines
		}
		if got, want := flagged(d.folder(name)), flagged(want[n]); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestExpire has messages go by rule while a session looks at them, and later what
// was kept of them.
func TestExpire(t *testing.T) {
	i := suite.Server(t, instance.Options{Conf: "autoexpunge Trash 1s seen\nundelete 1d\n"})
	s := ours(t, i)
	s.do("CREATE Trash")
	for n, flags := range []string{`(\Seen)`, `()`, `(\Seen)`} {
		s.file("Trash", flags, message(n))
	}
	s.do("ENABLE QRESYNC")
	modseq := regexp.MustCompile(`HIGHESTMODSEQ (\d+)`).FindStringSubmatch(strings.Join(s.do("SELECT Trash"), ""))[1]
	validity := validity.FindStringSubmatch(strings.Join(s.do("SELECT Trash"), ""))[1]
	went := 0
	suite.Eventually(t, "old messages go", func() bool {
		for line := range strings.Lines(posthorn(t, i, "expire")) {
			n := 0
			fmt.Sscanf(line, "bob@"+instance.Domain+": Trash: %d messages older than 1s", &n)
			went += n
		}
		return went == 2
	})
	vanished := ""
	suite.Eventually(t, "the session is told", func() bool {
		for _, line := range s.do("NOOP") {
			if uids, ok := strings.CutPrefix(line, "* VANISHED "); ok {
				vanished += uids
			}
		}
		return slices.Contains([]string{"1,3", "13", "31"}, vanished)
	})
	again := ours(t, i)
	again.do("ENABLE QRESYNC")
	if lines := again.do("SELECT Trash (QRESYNC (%s %s))", validity, modseq); !slices.Contains(lines, "* VANISHED (EARLIER) 1,3") {
		t.Errorf("got %q, want that 1 and 3 have vanished", lines)
	}
	attic := filepath.Join(bobs(i), "posthorn-undelete")
	if days, err := os.ReadDir(attic); err != nil || len(days) != 1 {
		t.Fatalf("got %v, %v, want a day", days, err)
	}
	old := filepath.Join(attic, time.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly))
	suite.Must(t, "", "cp", "-a", filepath.Join(attic, time.Now().UTC().Format(time.DateOnly)), old)
	posthorn(t, i, "expire")
	if days, err := os.ReadDir(attic); err != nil || len(days) != 1 || days[0].Name() == filepath.Base(old) {
		t.Errorf("got %v, %v, want today", days, err)
	}
}
