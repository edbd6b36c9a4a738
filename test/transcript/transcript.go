// Package transcript lets tests replay what the pages of doc/protocol show.
package transcript

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Line is what one side says, without its end.
type Line struct {
	Client bool
	Text   string
}

// Of returns the transcript that ends a page of doc/protocol, such as "queue".
// Its lines are indented and begin with C: or S:.
func Of(t testing.TB, name string) []Line {
	t.Helper()
	text, err := os.ReadFile(page(name))
	if err != nil {
		t.Fatal(err)
	}
	var lines []Line
	for line := range strings.Lines(string(text)) {
		side, said, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok || side != "    C" && side != "    S" {
			lines = nil // it does not end the page
			continue
		}
		lines = append(lines, Line{side == "    C", strings.TrimPrefix(said, " ")})
	}
	if len(lines) == 0 {
		t.Fatalf("doc/protocol/%s.md: does not end with a transcript", name)
	}
	return lines
}

// page looks for the folder of the pages above the test's.
func page(name string) string {
	dir := ".."
	for range 5 {
		if _, err := os.Stat(filepath.Join(dir, "doc", "protocol")); err == nil {
			break
		}
		dir = filepath.Join(dir, "..")
	}
	return filepath.Join(dir, "doc", "protocol", name+".md")
}

// Is reports whether got is the line; an ellipsis in it stands for anything.
func (l Line) Is(got string) bool {
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(l.Text), "…", ".*") + "$"
	return regexp.MustCompile(pattern).MatchString(got)
}

// Replay says what the client says to the Unix socket at path, each list of
// attributes with the descriptor that file returns unless file is nil, and holds
// the answers to the server's lines.
func Replay(t testing.TB, path string, lines []Line, file func() *os.File) {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(c)
	var request strings.Builder
	for _, l := range lines {
		if l.Client {
			request.WriteString(l.Text + "\n")
			continue
		}
		if request.Len() > 0 {
			send(t, c, request.String(), file)
			request.Reset()
		}
		if got, err := in.ReadString('\n'); err != nil || !l.Is(strings.TrimSuffix(got, "\n")) {
			t.Fatalf("got %q, %v, want %q", got, err, l.Text)
		}
	}
}

func send(t testing.TB, c *net.UnixConn, request string, file func() *os.File) {
	t.Helper()
	var rights []byte
	if file != nil {
		f := file()
		rights = unix.UnixRights(int(f.Fd()))
		defer runtime.KeepAlive(f) // it stays open until the message is on its way
	}
	if _, _, err := c.WriteMsgUnix([]byte(request), rights, nil); err != nil {
		t.Fatal(err)
	}
}
