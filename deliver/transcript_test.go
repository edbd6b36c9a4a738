package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/verdict"
)

// TestTranscript replays what doc/protocol/deliver.md shows.
func TestTranscript(t *testing.T) {
	text, err := os.ReadFile("testdata/transcript")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../doc/protocol/deliver.md")
	if err != nil {
		t.Fatal(err)
	}
	indented := "    " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    ") + "\n"
	if !strings.HasSuffix(string(page), "\n\n"+indented) {
		t.Error("doc/protocol/deliver.md does not end with the transcript")
	}
	in := begin(t)
	in.add("ann@example.org", vmail(), "mail/example.org/ann")
	in.add("bob@example.org", vmail(), "mail/example.org/bob")
	spool := filepath.Join(t.TempDir(), "spool")
	if err := os.WriteFile(spool, []byte("envelope\n\nSubject: x\r\n\r\nhello\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(spool)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	replay(t, filepath.Join(in.dir, "run", "deliver.sock"), string(text), f)
}

// replay says the C lines, each list with the descriptor f, and holds the
// answers to the S lines.
func replay(t *testing.T, path, text string, f *os.File) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(wait))
	r := bufio.NewReader(conn)
	var request strings.Builder
	for line := range strings.Lines(text) {
		side, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		rest = strings.TrimPrefix(rest, " ") + "\n"
		if side == "C" {
			request.WriteString(rest)
			continue
		}
		if request.Len() > 0 {
			if _, _, err := conn.(*net.UnixConn).WriteMsgUnix([]byte(request.String()), unix.UnixRights(int(f.Fd())), nil); err != nil {
				t.Fatal(err)
			}
			request.Reset()
		}
		if got, err := r.ReadString('\n'); got != rest {
			t.Fatalf("got %q, %v, want %q", got, err, rest)
		}
	}
}

// TestLMTPTranscript replays what doc/protocol/lmtp.md shows.
func TestLMTPTranscript(t *testing.T) {
	page, err := os.ReadFile("../doc/protocol/lmtp.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, ok := strings.Cut(string(page), "\nA transcript of deliver, which the tests replay:\n\n")
	if !ok {
		t.Fatal("doc/protocol/lmtp.md does not end with the transcript")
	}
	line, path := feedSocket(t, "")
	in := begin(t, line)
	in.add("ann@example.org", vmail(), "mail/example.org/ann")
	gone := in.add("gone@example.org", vmail(), "mail/example.org/gone")
	gone.Verdict = verdict.New(verdict.Never, "5.2.1", "box is closed")
	in.mu.Lock()
	in.boxes[gone.Name] = gone
	in.mu.Unlock()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(wait))
	r := bufio.NewReader(conn)
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "    "), "\n")
		if said, ok := strings.CutPrefix(line, "C: "); ok {
			io.WriteString(conn, said+"\r\n")
			continue
		}
		got, err := r.ReadString('\n')
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimPrefix(line, "S: ")), "…", ".*") + "\r\n$"
		if err != nil || !regexp.MustCompile(pattern).MatchString(got) {
			t.Fatalf("got %q, %v, want %s", got, err, line)
		}
	}
}
