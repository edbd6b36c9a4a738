package test

import (
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestWhoAndKick: an administrator sees who is there, and sends him away.
func TestWhoAndKick(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	secure, err := dialTLS(i.Addr["imaps"])
	if err != nil {
		t.Fatal(err)
	}
	defer secure.Close()
	nc, err := net.DialTimeout("tcp", i.Addr["imap"], 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	plain := textproto.NewConn(nc)
	defer plain.Close()
	for _, c := range []*textproto.Conn{secure, plain} {
		for _, command := range []string{"LOGIN " + suite.Bob + " " + instance.Password, "EXAMINE INBOX"} {
			c.PrintfLine("t1 %s", command)
			if _, err := tagged(c); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
		}
	}
	name, _, _ := strings.Cut(suite.Bob, "@")
	lines := whoIs(t, i, name)
	if len(lines) != 2 {
		t.Fatalf("got %q, want two sessions", lines)
	}
	id := ""
	for _, line := range lines {
		if line[0] != suite.Bob || line[1] != "imap" || line[2] != "127.0.0.1" || line[7] != "INBOX" {
			t.Errorf("got %q", line)
		}
		if line[3] == "yes" {
			id = line[6]
		}
	}
	if got := whoIs(t, i, suite.Ann); len(got) > 0 {
		t.Errorf("ann: got %q, want nobody", got)
	}
	kick := func(c *textproto.Conn, word string) {
		if out, err := i.Posthorn("", "kick", word); err != nil || out != "kicked: 1 sessions\n" {
			t.Errorf("kick %s: got %q, %v", word, out, err)
		}
		if line, err := c.ReadLine(); line != "* BYE disconnected by the administrator" {
			t.Errorf("got %q, %v, want the reason", line, err)
		}
		if line, err := c.ReadLine(); err == nil {
			t.Errorf("got %q, want the end", line)
		}
	}
	kick(secure, id)
	kick(plain, name)
	if out, err := i.Posthorn("", "kick", name); err == nil {
		t.Errorf("got %q, want an error: nobody is there", out)
	}
}

// whoIs returns the words of the lines that posthorn who has for a user.
func whoIs(t *testing.T, i *instance.Instance, user string) (lines [][]string) {
	t.Helper()
	out, err := i.Posthorn("", "who", user)
	if err != nil {
		t.Fatalf("who: %v: %s", err, out)
	}
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != "USER" {
			lines = append(lines, words)
		}
	}
	return lines
}
