package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestTranscript replays what doc/protocol/pop3.md shows.
func TestTranscript(t *testing.T) {
	page, err := os.ReadFile("../../doc/protocol/pop3.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, ok := strings.Cut(string(page), "\nA transcript, which the tests replay:\n\n")
	if !ok {
		t.Fatal("doc/protocol/pop3.md does not end with the transcript")
	}
	var said, want strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "    "), "\n")
		if command, ok := strings.CutPrefix(line, "C: "); ok {
			fmt.Fprintf(&said, "%s\r\n", command)
		} else {
			fmt.Fprintf(&want, "%s\r\n", strings.TrimPrefix(line, "S: "))
		}
	}
	d := &dovecots{drop("Subject: hello\r\n\r\n.dot\r\n\r\n", "Subject: two\r\n\r\nhello\r\n")}
	if got, err := talk(t, d, said.String()); got != want.String() || err != nil {
		t.Errorf("got  %q, %v\nwant %q", got, err, want.String())
	}
}

// dovecots is a fake with ids of Dovecot's form.
type dovecots struct{ *fake }

func (dovecots) UIDL(n int) string { return fmt.Sprintf("%08x6b02f296", n) }
