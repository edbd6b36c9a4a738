package dovecot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// migrated is a uidlist as a migration leaves it: messages with a unique-id, with
// a place, with both, with neither, and two with one place.
const migrated = "3 V1795355286 N9 Gab58141696f2026b4712000083ecc375\n" +
	"1 O7 W35 :1700000001.M1P1.Host\n" +
	"2 PGmailId99 O3 W35 :1700000002.M1P1.Host,S=30\n" +
	"3 W35 :1700000003.M1P1.Host,S=30,W=35\n" +
	"4 PUID4-99 W35 :1700000004.M1P1.Host\n" +
	"5 O3 W35 :1700000005.M1P1.Host\n" +
	"6 O4294967295 W35 :1700000006.M1P1.Host\n" +
	"7 O W35 :1700000007.M1P1.Host\n" +
	"8 Ox W35 :1700000008.M1P1.Host\n"

// TestUIDLsOfMigrations: order and unique-ids are those that Dovecot shows, by each
// template.
func TestUIDLsOfMigrations(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	for line := range strings.Lines(migrated) {
		if _, name, found := strings.Cut(strings.TrimSuffix(line, "\n"), " :"); found {
			leave(t, i, "cur/"+name+":2,", "From: a@example.org\n\nline\nline\n")
		}
	}
	leave(t, i, "dovecot-uidlist", migrated)
	p := newPeer(t, bobs(i))
	table := filepath.Join(i.Dir, "users")
	users, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range []string{"%08Xu%08Xv", "%08Xv%08Xu", "%v.%u", "%u", "UID%u-%v", "%f", "%Mf", "%Lf-%u", "%Mu.%010v"} {
		// bob's is the last line of the table
		text := strings.TrimRight(string(users), ":\n") + "::::::pop3=fetched=keep,uidl=" + template + "\n"
		if err := os.WriteFile(table, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		theirs := inOrder(p.pop3(t, "UIDL\r\nQUIT\r\n", "-o", "pop3_uidl_format="+template))
		if got := inOrder(ourUIDL(t, i)); got != theirs || strings.Count(got, "\n") != 8 {
			t.Errorf("%s: got\n%swant, as Dovecot has it,\n%s", template, got, theirs)
		}
	}
}

// leave writes a file of bob's Maildir.
func leave(t *testing.T, i *instance.Instance, name, text string) {
	t.Helper()
	path := filepath.Join(bobs(i), name)
	os.MkdirAll(filepath.Dir(path), 0o700)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for p := path; p != i.Dir; p = filepath.Dir(p) {
		os.Chown(p, owner(), group())
	}
}

// inOrder picks the lines of UIDL out of a session, in their order.
func inOrder(session string) string {
	var b strings.Builder
	for line := range strings.Lines(session) {
		if words := strings.Fields(line); len(words) == 2 && words[0][0] >= '1' && words[0][0] <= '9' {
			b.WriteString(words[0] + " " + words[1] + "\n")
		}
	}
	return b.String()
}
