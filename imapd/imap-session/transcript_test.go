package main

import (
	"bufio"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTranscript replays what doc/protocol/imap.md shows.
func TestTranscript(t *testing.T) {
	page, err := os.ReadFile("../../doc/protocol/imap.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, ok := strings.Cut(string(page), "\nA transcript, which the tests replay:\n\n")
	if !ok {
		t.Fatal("doc/protocol/imap.md does not end with the transcript")
	}
	f := newFixture(t)
	l := *f.host.limits.Load()
	l.specialUse = map[string][]string{"Sent": {`\Sent`}}
	f.host.limits.Store(&l)
	conn, _ := f.connect()
	in := bufio.NewReader(conn)
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "    "), "\n")
		if said, ok := strings.CutPrefix(line, "C: "); ok {
			io.WriteString(conn, said+"\r\n")
			continue
		}
		want := strings.TrimPrefix(line, "S: ")
		got, err := in.ReadString('\n')
		got = strings.TrimSuffix(got, "\r\n")
		if err != nil || !alike(got, want) {
			t.Fatalf("got %s, %v, want %s", got, err, want)
		}
	}
}

// alike compares lines of which one has a UIDVALIDITY of its own, and an
// ellipsis.
func alike(got, want string) bool {
	pattern := regexp.QuoteMeta(want)
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	pattern = strings.ReplaceAll(pattern, "1784000000", `\d+`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(got)
}
