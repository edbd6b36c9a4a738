package test

import (
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// enter logs a user in.
func enter(t *testing.T, i *instance.Instance, user string) *textproto.Conn {
	t.Helper()
	c, err := dialTLS(i.Addr["imaps"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.ReadLine(); err != nil {
		t.Fatal(err)
	}
	say(t, c, "LOGIN "+user+" "+instance.Password)
	return c
}

// say gives a command that must be answered OK, and returns what comes before.
func say(t *testing.T, c *textproto.Conn, command string) string {
	t.Helper()
	err := c.PrintfLine("t1 %s", command)
	answer := ""
	if err == nil {
		answer, err = tagged(c)
	}
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return answer
}

// TestSharedMailboxes has users of a whole server show each other mailboxes, by
// name, by group, and to everybody, with keywords that have no letter.
func TestSharedMailboxes(t *testing.T) {
	public := "public@" + instance.Domain
	i := suite.Server(t, instance.Options{Users: []string{suite.Ann, suite.Bob, public}, Conf: "public-folders " + public + "\n"})
	users := filepath.Join(i.Dir, "users")
	text, err := os.ReadFile(users)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for n, line := range lines {
		if strings.HasPrefix(line, suite.Bob+":") {
			fields := append(strings.Split(line, ":"), make([]string, 8)...)[:8]
			fields[7] = "userdb_acl_groups=sales,staff"
			lines[n] = strings.Join(fields, ":")
		}
	}
	if err := os.WriteFile(users, []byte(strings.Join(lines, "\n")), 0o640); err != nil { // keeps owner and mode
		t.Fatal(err)
	}

	ann := enter(t, i, suite.Ann)
	for _, command := range []string{
		"CREATE Work", "CREATE Team", "CREATE Mine", "SETACL Work bob lrswi", "SETACL Team group=staff lr", "APPEND Work (k1) {3+}\r\nabc",
		"SELECT Work", "STORE 1 +FLAGS (" + strings.Repeat("more", 2) + ")",
	} {
		say(t, ann, command)
	}
	all := ""
	for n := range 30 {
		all += " key" + string(rune('a'+n%26)) + string(rune('a'+n/26))
	}
	say(t, ann, "STORE 1 +FLAGS ("+all[1:]+")")
	pub := enter(t, i, public)
	say(t, pub, "CREATE News")
	say(t, pub, "SETACL News authenticated lr")

	bob := enter(t, i, suite.Bob)
	if got, want := say(t, bob, "NAMESPACE"), `* NAMESPACE (("" ".")) (("Shared/" "/")) (("Public/" "/"))`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	list := say(t, bob, `LIST "" * RETURN (MYRIGHTS)`)
	for _, want := range []string{`"/" "Shared/` + suite.Ann + `/Work"`, `* MYRIGHTS "Shared/` + suite.Ann + `/Team" "lr"`, `"/" "Public/News"`} {
		if !strings.Contains(list, want) {
			t.Errorf("got %s, want %s in it", list, want)
		}
	}
	if strings.Contains(list, "Mine") {
		t.Errorf("got %s, want nothing of what is not shared", list)
	}
	say(t, bob, "SELECT Shared/"+suite.Ann+"/Work")
	if got := say(t, bob, "FETCH 1 FLAGS"); !strings.Contains(got, "keydb") || !strings.Contains(got, "moremore") {
		t.Errorf("got %q, want all keywords", got)
	}
	say(t, bob, `STORE 1 +FLAGS (\Seen)`)
	say(t, bob, "COPY 1 INBOX")
	say(t, bob, "SELECT INBOX")
	if got := say(t, bob, "FETCH 1 FLAGS"); !strings.Contains(got, "keydb") {
		t.Errorf("got %q, want the copy to have all keywords", got)
	}
	if got := say(t, ann, "FETCH 1 FLAGS"); !strings.Contains(got, `\Seen`) {
		t.Errorf("got %q, want ann to see what bob did", got)
	}

	// What is kept survives the server.
	i.StopServer()
	if err := i.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	bob = enter(t, i, suite.Bob)
	if got := say(t, bob, `LIST "" Shared/*/Team`); !strings.Contains(got, "Team") {
		t.Errorf("after a restart: got %q, want Team", got)
	}
}
