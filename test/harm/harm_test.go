// Package harm tests what becomes of sessions and mail when a Maildir is
// treated badly while the server runs: there is an answer, nothing is lost, and
// the daemons go on.
package harm

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// client is an IMAP client that takes a BYE as an answer.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	over bool
}

func login(t *testing.T, i *instance.Instance) *client {
	t.Helper()
	conn, err := tls.Dial("tcp", i.Addr["imaps"], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(suite.Limit))
	c := &client{t: t, conn: conn, in: bufio.NewReader(conn)}
	c.line()
	if got := c.do("LOGIN %s %s", suite.Bob, instance.Password); !strings.Contains(got, "x OK") {
		t.Fatalf("LOGIN: got %q", got)
	}
	return c
}

func (c *client) line() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("no answer: %v after %q", err, line)
	}
	return line
}

// do returns all that is said to a command, up to its tagged answer or a BYE.
// After a BYE it says nothing more.
func (c *client) do(format string, args ...any) string {
	c.t.Helper()
	if c.over {
		return ""
	}
	fmt.Fprintf(c.conn, "x "+format+"\r\n", args...)
	return c.answer()
}

func (c *client) answer() string {
	c.t.Helper()
	var all strings.Builder
	for {
		line := c.line()
		all.WriteString(line)
		if c.over = strings.HasPrefix(line, "* BYE"); c.over || strings.HasPrefix(line, "x ") {
			return all.String()
		}
	}
}

// file appends a message and returns the answer.
func (c *client) file(folder, text string) string {
	c.t.Helper()
	fmt.Fprintf(c.conn, "x APPEND %q {%d}\r\n", folder, len(text))
	if line := c.line(); !strings.HasPrefix(line, "+") {
		return line
	}
	fmt.Fprintf(c.conn, "%s\r\n", text)
	return c.answer()
}

const text = "Subject: kept\r\n\r\ntext\r\n"

var facts = regexp.MustCompile(`UIDVALIDITY \d+|UID \d+|Subject: \S+`)

// sight is what there is in a folder: UIDVALIDITY, UIDs, subjects.
func (c *client) sight(folder string) string {
	c.t.Helper()
	all := c.do("EXAMINE %q", folder) + c.do("FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
	return strings.Join(facts.FindAllString(all, -1), ", ")
}

func (c *client) close() {
	c.do("LOGOUT")
	c.conn.Close()
}

func bobs(i *instance.Instance) string {
	return filepath.Join(i.Dir, "mail", instance.Domain, "bob", "Maildir")
}

// goesOn fails the test if a daemon had to be started again by its end.
func goesOn(t *testing.T, i *instance.Instance) {
	t.Helper()
	pid, err := i.PID("imap-session")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if now, err := i.PID("imap-session"); now != pid || err != nil {
			t.Errorf("imap-session died: it was process %d and is %d (%v)", pid, now, err)
		}
	})
}

// sessions are all that a client may ask of a folder that is not there any more.
var sessions = []string{"NOOP", "FETCH 1 (FLAGS UID)", "FETCH 2 BODY[]", `STORE 1 +FLAGS (\Flagged)`, "SEARCH TEXT text", "COPY 1 INBOX", "CHECK", "EXPUNGE"}

// TestFolderGoes renames and removes folders, and the box itself, under open
// sessions.
func TestFolderGoes(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	goesOn(t, i)
	for name, harm := range map[string]func(root string) error{
		"folder renamed": func(root string) error { return os.Rename(root+"/.Work", root+"/.Moved") },
		"folder removed": func(root string) error { return os.RemoveAll(root + "/.Work") },
		"cur removed":    func(root string) error { return os.RemoveAll(root + "/.Work/cur") },
		"a file instead": func(root string) error {
			return errors.Join(os.RemoveAll(root+"/.Work"), os.WriteFile(root+"/.Work", nil, 0o600))
		},
		"box renamed": func(root string) error { return os.Rename(root, root+".away") },
		"box removed": func(root string) error { return os.RemoveAll(root) },
	} {
		t.Run(name, func(t *testing.T) {
			os.RemoveAll(bobs(i) + ".away")
			os.RemoveAll(bobs(i))
			c := login(t, i)
			c.do("CREATE Work")
			for range 3 {
				c.file("Work", text)
			}
			before := c.sight("Work")
			if strings.Count(before, "Subject: kept") != 3 {
				t.Fatalf("got %s, want three messages", before)
			}
			c.do("SELECT Work")
			if err := harm(bobs(i)); err != nil {
				t.Fatal(err)
			}
			for _, command := range sessions {
				if got := c.do("%s", command); c.over {
					t.Logf("%s: %q", command, got)
					break
				}
			}
			d := login(t, i)
			for _, command := range []string{`LIST "" *`, "STATUS INBOX (MESSAGES)", "SELECT INBOX"} {
				if got := d.do("%s", command); !strings.Contains(got, "x OK") {
					t.Errorf("%s: got %q, want OK", command, got)
				}
			}
			switch name {
			case "folder renamed":
				if got := d.sight("Moved"); got != before {
					t.Errorf("under its new name: got %s, want %s", got, before)
				}
			case "box renamed":
				os.RemoveAll(bobs(i))
				if err := os.Rename(bobs(i)+".away", bobs(i)); err != nil {
					t.Fatal(err)
				}
				e := login(t, i)
				if got := e.sight("Work"); got != before {
					t.Errorf("at its old place: got %s, want %s", got, before)
				}
				e.close()
			}
			d.close()
			c.close()
		})
	}
}

// TestShut takes the owner's rights from a message, from cur/ and from the
// folder, as a copy made by another user does.
func TestShut(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	goesOn(t, i)
	c := login(t, i)
	c.do("CREATE Work")
	for range 3 {
		c.file("Work", text)
	}
	before := c.sight("Work")
	work := filepath.Join(bobs(i), ".Work")
	for _, name := range []string{"message", "cur", "dovecot-uidlist", "."} {
		path := filepath.Join(work, name)
		if name == "message" {
			c.do("SELECT Work")
			path = suite.BoxFiles(i, suite.Bob, ".Work")[0]
			c.do("CLOSE")
		}
		st, err := os.Stat(path)
		if err == nil {
			err = os.Chmod(path, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		d := login(t, i)
		for _, command := range append([]string{"SELECT Work"}, sessions...) {
			d.do("%s", command) // whatever the answer is
		}
		d.close()
		if got := c.do("STATUS INBOX (MESSAGES)"); !strings.Contains(got, "x OK") {
			t.Errorf("%s shut: the INBOX: got %q", name, got)
		}
		for _, file := range suite.BoxFiles(i, suite.Bob, ".Work") { // the flags of a shut one may have changed
			err = errors.Join(err, os.Chmod(file, 0o600))
		}
		if name != "message" {
			err = errors.Join(err, os.Chmod(path, st.Mode().Perm()))
		}
		if err != nil {
			t.Fatal(err)
		}
		again := login(t, i)
		if got := again.sight("Work"); got != before {
			t.Errorf("%s shut and open again: got %s, want %s", name, got, before)
		}
		again.close()
	}
	c.close()
}
