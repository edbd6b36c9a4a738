package clients

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestUnauthenticate: a client leaves its account and enters another over the same
// connection, with and without TLS (RFC 8437).
func TestUnauthenticate(t *testing.T) {
	for _, way := range []string{"tls", "starttls", "plain"} {
		t.Run(way, func(t *testing.T) {
			d := newDesk(t)
			c := d.goimap(way, nil)
			for _, user := range []string{suite.Ann, suite.Bob, suite.Ann} {
				d.append(c, "INBOX", "before "+user)
				_, err := c.Select("INBOX", nil).Wait()
				d.ok("select", err)
				d.ok("unauthenticate", c.Unauthenticate().Wait())
				if err := c.Login(user, "wrong").Wait(); err == nil {
					t.Fatal("a wrong password was taken")
				}
				d.ok("login", c.Login(user, instance.Password).Wait())
				data, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true}).Wait()
				d.ok("status", err)
				same(d, "mailbox", data.Mailbox, "INBOX")
			}
			d.ok("logout", c.Logout().Wait())
		})
	}
}

// TestUnauthenticatePipelined: the next login may come right behind the command, and
// the limits of a connection hold for who comes back.
func TestUnauthenticatePipelined(t *testing.T) {
	d := newDesk(t)
	conn, err := net.Dial("tcp", d.Addr["imap"])
	d.ok("dial", err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	login := func(tag, user string) string { return fmt.Sprintf("%s LOGIN %s %s\r\n", tag, user, instance.Password) }
	fmt.Fprint(conn, login("a", suite.Ann)+"b CREATE OfAnn\r\nc UNAUTHENTICATE\r\n"+login("d", suite.Bob)+
		"e LIST \"\" *\r\nf UNAUTHENTICATE x\r\ng UNAUTHENTICATE\r\nh LIST \"\" *\r\ni NOOP\r\nj LOGOUT\r\n")
	in := bufio.NewScanner(conn)
	var got []string
	for in.Scan() {
		line := in.Text()
		line, _, _ = strings.Cut(line, " [")
		got = append(got, line)
	}
	want := []string{"* OK", "a OK", "b OK", "c OK UNAUTHENTICATE completed", "d OK", `* LIST (\HasNoChildren) "." "INBOX"`, "e OK LIST completed",
		"f BAD unexpected argument", "g OK UNAUTHENTICATE completed", "h BAD unknown command before login", "i OK NOOP completed",
		"* BYE logging out", "j OK LOGOUT completed"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
