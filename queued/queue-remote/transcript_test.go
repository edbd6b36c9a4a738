package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/internal/sock"
	"posthorn/test/transcript"
)

// TestTranscript replays what doc/protocol/remote.md shows, on loopback
// addresses and a port of the test's.
func TestTranscript(t *testing.T) {
	host := serve(t, hello("DSN")+`
		C: MAIL FROM:<ann@example.org> RET=HDRS ENVID=QQ314159
		S: 250 ok
		C: RCPT TO:<bob@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@example.org
		S: 250 ok
		C: RCPT TO:<nobody@example.net>
		S: 550 5.1.1 no such user
		C: DATA
		S: 354 go
		M:
		S: 250 2.0.0 kept as 4711`)
	_, port, _ := strings.Cut(host.Addr, ":")
	lines := transcript.Of(t, "remote")
	for n := range lines {
		lines[n].Text = strings.NewReplacer("port=25", "port="+port, "192.0.2.2", "127.0.0.1").Replace(lines[n].Text)
	}
	message := spooled(t, "envelope\n\n"+text)
	s, _ := testService(t, names{"mx1.example.net": "127.0.0.2", "mx2.example.net": "127.0.0.1"})
	transcript.Replay(t, serving(t, s), lines, func() *os.File { return message })
	host.Wait(t)
}

// serving lets the service answer on a socket, whose path is returned.
func serving(t *testing.T, s *service) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "remote.sock")
	l, err := sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.listener = l
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	return path
}

// spooled is a file with this content, open for reading.
func spooled(t *testing.T, content string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
