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

	"posthorn/internal/sock"
)

// TestTranscript replays what doc/protocol/remote.md shows, on loopback
// addresses and a port of the test's.
func TestTranscript(t *testing.T) {
	transcript, err := os.ReadFile("testdata/transcript")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../doc/protocol/remote.md")
	if err != nil {
		t.Fatal(err)
	}
	indented := "    " + strings.ReplaceAll(strings.TrimSpace(string(transcript)), "\n", "\n    ") + "\n"
	if !strings.HasSuffix(string(page), "\n\n"+indented) {
		t.Error("doc/protocol/remote.md does not end with the transcript")
	}
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
	here := strings.NewReplacer("port=25", "port="+port, "192.0.2.2", "127.0.0.1").Replace(string(transcript))
	s, _ := testService(t, names{"mx1.example.net": "127.0.0.2", "mx2.example.net": "127.0.0.1"})
	replay(t, serving(t, s), here, spooled(t, "envelope\n\n"+text))
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

// replay says the C lines, each list with the descriptor f, and holds the
// answers to the S lines.
func replay(t *testing.T, path, transcript string, f *os.File) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(conn)
	var request strings.Builder
	for line := range strings.Lines(transcript) {
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
