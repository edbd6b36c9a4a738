package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/internal/verdict"
	"posthorn/test/transcript"
)

// TestTranscript replays what doc/protocol/deliver.md shows.
func TestTranscript(t *testing.T) {
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
	transcript.Replay(t, filepath.Join(in.dir, "run", "deliver.sock"), transcript.Of(t, "deliver"), func() *os.File { return f })
}

// TestLMTPTranscript replays what doc/protocol/lmtp.md shows.
func TestLMTPTranscript(t *testing.T) {
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
	for _, l := range transcript.Of(t, "lmtp") {
		if l.Client {
			io.WriteString(conn, l.Text+"\r\n")
			continue
		}
		if got, err := r.ReadString('\n'); err != nil || !l.Is(strings.TrimSuffix(got, "\r\n")) {
			t.Fatalf("got %q, %v, want %s", got, err, l.Text)
		}
	}
}
