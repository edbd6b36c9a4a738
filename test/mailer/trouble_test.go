package mailer

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestExitCodes: what cannot be sent says why, with a code of sysexits.h.
func TestExitCodes(t *testing.T) {
	d := newDesk(t, instance.Options{Conf: "message-size 1M\n"})
	for _, tc := range []struct {
		line, stdin string
		code        int
		out         string
	}{
		{"$SENDMAIL -bd", "", 64, "posthorn run"},
		{"$SENDMAIL", "\nhi\n", 64, "found no recipient"},
		{"$SENDMAIL -t", "Subject: x\n\nhi\n", 64, "found no recipient in the message's header"},
		{"$SENDMAIL a@b@c root", "\nhi\n", 65, "not sent"},
		{"$SENDMAIL -f a@b@c root", "\nhi\n", 65, "not sent"},
		{"$SENDMAIL root", "\n" + strings.Repeat("hello there\n", 100000), 69, "too large"},
		{"$SENDMAIL root </", "", 75, "reading the message"},
		{"$SENDMAIL -bv root bob nobody", "", 67, "nobody: not deliverable: no such mailbox here"},
		{"$SENDMAIL -bv root", "", 0, "root: deliverable: box " + suite.Ann},
		{"$SENDMAIL -bv eve@" + instance.Foreign, "", 0, "deliverable: address"},
		{"$SENDMAIL --version", "", 0, "Posthorn"},
	} {
		r := d.run(call{line: tc.line, stdin: strings.NewReader(tc.stdin)})
		if r.code != tc.code || !strings.Contains(r.out, tc.out) {
			t.Errorf("%s: got %d, %q, want %d and %q", tc.line, r.code, r.out, tc.code, tc.out)
		}
	}
}

// TestBounce: a recipient whom nobody knows does not keep the message from the
// others; its sender is told by mail.
func TestBounce(t *testing.T) {
	d := newDesk(t, instance.Options{})
	quiet := d.run(call{line: "$SENDMAIL -v -N never -f bob nobody", stdin: strings.NewReader("Subject: quiet\n\nhi\n")})
	words := strings.Fields(quiet.out) // sendmail: 2.0.0 id queued
	if quiet.code != 0 || len(words) != 4 {
		t.Fatalf("got %d, %q", quiet.code, quiet.out)
	}
	d.WaitLog(suite.Limit, func(line string) bool { return strings.HasPrefix(line, "queued: finished id="+words[2]+" ") })
	if got := suite.BoxFiles(d.Instance, suite.Bob, ""); len(got) > 0 {
		t.Errorf("got %d reports with -N never, want none", len(got))
	}
	r := d.run(call{line: "$SENDMAIL -f bob nobody root eve@" + instance.Foreign, stdin: strings.NewReader("Subject: some\n\nhi\n")})
	if r.code != 0 {
		t.Fatalf("got %d, %s", r.code, r.out)
	}
	d.message(suite.Ann, "some")
	suite.Eventually(t, "the message elsewhere", func() bool { return len(suite.SinkFiles(d.Instance)) == 1 })
	suite.Eventually(t, "the bounce", func() bool { return len(suite.BoxFiles(d.Instance, suite.Bob, "")) == 1 })
	if b, err := os.ReadFile(suite.BoxFiles(d.Instance, suite.Bob, "")[0]); err != nil || !strings.Contains(string(b), "nobody"+origin) {
		t.Errorf("got %q, %v, want a bounce that names nobody", b, err)
	}
}

// TestDown: while the server is down the command says so within its time, and
// the message is not sent later; while it starts the command waits, and sends
// once.
func TestDown(t *testing.T) {
	d := newDesk(t, instance.Options{})
	if err := d.StopServer(); err != nil {
		t.Fatal(err)
	}
	r := d.run(call{line: "$SENDMAIL -O Timeout.submit=1s root", stdin: strings.NewReader("Subject: lost\n\nhi\n")})
	if r.code != 75 || !strings.Contains(r.out, "the message was not sent: tried for 1s: the mail system does not answer") {
		t.Errorf("got %d, %q, want 75", r.code, r.out)
	}
	done := make(chan result)
	read, write := io.Pipe()
	go func() {
		done <- d.run(call{line: "$SENDMAIL -O Timeout.submit=60s root", stdin: read})
	}()
	io.WriteString(write, "Subject: patient\n\nhi\n")
	write.Close()
	if err := d.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.code != 0 {
		t.Errorf("got %d, %s, want 0 after the start", r.code, r.out)
	}
	d.message(suite.Ann, "patient")
	if got := d.with(suite.Ann, "lost"); len(got) > 0 {
		t.Errorf("got the message that was reported as not sent")
	}
}

// TestAuthdDown: mail is taken while nobody knows the recipients.
func TestAuthdDown(t *testing.T) {
	d := newDesk(t, instance.Options{Conf: "retry 1s\n"})
	os.Rename(d.path("sockets/auth.sock"), d.path("sockets/away"))
	d.sh(`printf 'Subject: early\n\nhi\n' | $SENDMAIL root`)
	if got := d.with(suite.Ann, "early"); len(got) > 0 {
		t.Fatal("got the message while authd was away")
	}
	os.Rename(d.path("sockets/away"), d.path("sockets/auth.sock"))
	d.message(suite.Ann, "early")
}

// TestLarge: a message of many megabytes is not held in memory, nor left on the
// disk.
func TestLarge(t *testing.T) {
	d := newDesk(t, instance.Options{Conf: "message-size 200M\n"})
	const lines, size = 1_500_000, 70
	line := strings.Repeat("x", size-1) + "\n"
	in := io.MultiReader(strings.NewReader("Subject: large\n\n"), io.LimitReader(repeat{line}, lines*size))
	r := d.run(call{line: "TMPDIR=$HOME $SENDMAIL root", stdin: in})
	if r.code != 0 {
		t.Fatalf("got %d, %s", r.code, r.out)
	}
	if most := int64(64 << 20); r.rss > most {
		t.Errorf("got %d MB resident, want at most %d", r.rss>>20, most>>20)
	}
	m := d.message(suite.Ann, "large")
	if n, err := io.Copy(io.Discard, m.Body); err != nil || n < lines*size {
		t.Errorf("got %d bytes, %v, want at least %d", n, err, lines*size)
	}
	if left, _ := os.ReadDir(d.home); len(left) > 0 {
		t.Errorf("got %v left", left)
	}
}

// repeat gives a line again and again.
type repeat struct{ line string }

func (r repeat) Read(b []byte) (int, error) {
	n := 0
	for n+len(r.line) <= len(b) {
		n += copy(b[n:], r.line)
	}
	if n == 0 {
		return 0, fmt.Errorf("found a buffer of %d bytes, expected room for a line", len(b))
	}
	return n, nil
}
