package main

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
