package dovecot

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// Names in modified UTF-7, as clients send them.
const (
	drafts  = "Entw&APw-rfe"
	taipeh  = "Work.2024.&U,BTFw-"
	special = "a &- b, c"
)

// bobs is bob's Maildir.
func bobs(i *instance.Instance) string {
	return filepath.Join(i.Dir, "mail", instance.Domain, "bob", "Maildir")
}

// fill makes folders and messages of every kind.
func fill(s *session) {
	for _, name := range []string{drafts, taipeh, special, "Sent", "Work.2023", "Drafts", "Junk", "Trash", "Sent Messages", "Archive"} {
		s.do("CREATE %q", name)
	}
	for _, name := range []string{"INBOX", drafts, taipeh, special, "Gone"} {
		s.do("SUBSCRIBE %q", name)
	}
	for n := range 12 {
		flags := []string{"()", `(\Seen)`, `(\Answered $Forwarded)`, `(\Flagged Later NonJunk)`, `(\Draft \Seen later)`, `(\Deleted)`}[n%6]
		date := fmt.Sprintf(`"%2d-Jan-2020 03:04:05 +0%d30"`, n+1, n%9)
		s.file("INBOX", flags+" "+date, message(n))
	}
	for _, name := range []string{drafts, taipeh, special, "Sent"} {
		s.file(name, `(\Seen Work)`, message(1))
		s.file(name, "", message(2))
	}
}

func message(n int) string {
	return fmt.Sprintf("From: a@example.org\nTo: bob@%s\nSubject: message %d\nMessage-ID: <%d@example.org>\n\n%s", instance.Domain, n, n, strings.Repeat("line\n", n*n))
}

// edit does to messages what people do.
func edit(s *session, word string) {
	s.do("SELECT INBOX")
	s.do(`UID STORE 1 +FLAGS (\Seen %s)`, word)
	s.do(`UID STORE 2 FLAGS (\Flagged)`)
	s.do(`UID STORE 4 -FLAGS (Later)`)
	s.do("UID COPY 1,3 %q", drafts)
	s.do("UID MOVE 8 %q", special)
	s.do("EXPUNGE")
	s.do("CLOSE")
	s.file("INBOX", "("+word+")", message(20))
	s.do("CREATE %q", "New."+word)
	s.file("New."+word, "", message(21))
}

// move does to folders what people do.
func move(s *session, word string) {
	s.do("RENAME Sent %q", "Sent by "+word)
	s.do("CREATE Sent")
	s.do("SUBSCRIBE %q", "New."+word)
	s.do("UNSUBSCRIBE %q", special)
}

// TestThereAndBack serves one mailbox in turn: each sees what the other left.
func TestThereAndBack(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	s := ours(t, i)
	fill(s)
	want := s.sight()
	s.logout()
	uidls := ourUIDLs(t, i)
	i.StopServer()

	p := newPeer(t, bobs(i))
	d := p.imap(t)
	same(t, "Dovecot, after us", d.sight(), want)
	if got := p.uidls(t); got != uidls {
		t.Errorf("Dovecot, after us: got UIDLs %q, want %q", got, uidls)
	}
	edit(d, "Theirs")
	move(d, "Theirs")
	want = d.sight()
	d.logout()
	uidls = p.uidls(t)

	if err := i.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	s = ours(t, i)
	same(t, "we, after Dovecot", s.sight(), want)
	if got := ourUIDLs(t, i); got != uidls {
		t.Errorf("we, after Dovecot: got UIDLs %q, want %q", got, uidls)
	}
	edit(s, "Ours")
	move(s, "Ours")
	want = s.sight()
	s.logout()
	i.StopServer()
	same(t, "Dovecot, after us again", p.imap(t).sight(), want)

	if out, err := i.Posthorn("", "mailbox", "check", suite.Bob); err != nil || out != "" {
		t.Errorf("mailbox check: got %v\n%s", err, out)
	}
	out, err := i.Posthorn("", "mailbox", "stat", bobs(i))
	if err != nil || !strings.Contains(out, "INBOX messages=11 unseen=") || !strings.Contains(out, "Entwürfe messages=6 ") {
		t.Errorf("mailbox stat: got %v\n%s", err, out)
	}
	os.Remove(filepath.Join(bobs(i), "tmp"))
	out, err = i.Posthorn("", "mailbox", "check", "bob")
	if err == nil || !strings.Contains(out, "/tmp: found nothing, expected a folder\n") {
		t.Errorf("mailbox check without tmp: got %v\n%s", err, out)
	}
}

// ourUIDLs returns the unique-ids of bob's messages as our POP3 server has
// them, sorted: POP3 has no order.
func ourUIDLs(t *testing.T, i *instance.Instance) string {
	t.Helper()
	return uniqueIDs(ourUIDL(t, i))
}

// ourUIDL is a session of our POP3 server.
func ourUIDL(t *testing.T, i *instance.Instance) string {
	t.Helper()
	conn := dial(t, i, "pop3s")
	defer conn.Close()
	fmt.Fprintf(conn, "USER %s\r\nPASS %s\r\nUIDL\r\nQUIT\r\n", suite.Bob, instance.Password)
	var lines []string
	for in := bufio.NewScanner(conn); in.Scan(); {
		lines = append(lines, in.Text())
	}
	return strings.Join(lines, "\n")
}

func (p *peer) uidls(t *testing.T) string {
	t.Helper()
	return uniqueIDs(p.pop3(t, "UIDL\r\nQUIT\r\n"))
}

// uniqueIDs picks `<number> <unique-id>` lines out of a session.
func uniqueIDs(session string) string {
	var ids []string
	for line := range strings.Lines(session) {
		words := strings.Fields(line)
		if len(words) == 2 && words[0] != "+OK" {
			ids = append(ids, words[1])
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}
