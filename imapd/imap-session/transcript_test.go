package main

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"posthorn/test/transcript"
)

// TestTranscript replays what doc/protocol/imap.md shows.
func TestTranscript(t *testing.T) {
	f := newFixture(t)
	l := *f.host.limits.Load()
	l.specialUse = map[string][]string{"Sent": {`\Sent`}}
	f.host.limits.Store(&l)
	conn, _ := f.connect()
	in := bufio.NewReader(conn)
	for _, l := range transcript.Of(t, "imap") {
		if l.Client {
			io.WriteString(conn, l.Text+"\r\n")
			continue
		}
		got, err := in.ReadString('\n')
		if err != nil || !l.Is(strings.TrimSuffix(got, "\r\n")) {
			t.Fatalf("got %q, %v, want %s", got, err, l.Text)
		}
	}
}
