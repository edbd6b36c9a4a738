package clients

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// offered logs in and returns the capabilities that the user is offered.
func (d *desk) offered(user string) string {
	d.t.Helper()
	conn, err := net.Dial("tcp", d.Addr["imap"])
	d.ok("dial", err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "a LOGIN %s %s\r\nb LOGOUT\r\n", user, instance.Password)
	in := bufio.NewScanner(conn)
	for in.Scan() {
		if list, ok := strings.CutPrefix(in.Text(), "a OK [CAPABILITY "); ok {
			list, _, _ = strings.Cut(list, "]")
			return " " + list + " "
		}
	}
	d.t.Fatalf("no login of %s: %v", user, in.Err())
	return ""
}

// TestIMAPOff: what a line of users names is not offered to that user, from the next
// login.
func TestIMAPOff(t *testing.T) {
	d := newDesk(t)
	file := filepath.Join(d.Dir, "users")
	text, err := os.ReadFile(file)
	d.ok("users", err)
	if list := d.offered(suite.Bob); !strings.Contains(list, " COMPRESS=DEFLATE ") {
		t.Fatalf("got %s", list)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, suite.Bob+":") {
			fields := append(strings.SplitN(line, ":", 8), make([]string, 8)...)[:8]
			fields[7] = strings.TrimSpace(fields[7] + " imap_off=COMPRESS=DEFLATE,imap4rev2")
			lines[i] = strings.Join(fields, ":")
		}
	}
	d.ok("users", os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o640))
	suite.Eventually(t, "the new line counts", func() bool { return !strings.Contains(d.offered(suite.Bob), " COMPRESS=DEFLATE ") })
	if list := d.offered(suite.Bob); strings.Contains(list, "IMAP4rev2") || !strings.Contains(list, " UNAUTHENTICATE ") {
		t.Errorf("bob: got %s", list)
	}
	if list := d.offered(suite.Ann); !strings.Contains(list, " COMPRESS=DEFLATE ") || !strings.Contains(list, " IMAP4rev2 ") {
		t.Errorf("ann: got %s", list)
	}
}
