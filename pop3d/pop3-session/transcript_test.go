package main

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/test/transcript"
)

// TestTranscript replays what doc/protocol/pop3.md shows.
func TestTranscript(t *testing.T) {
	var said, want strings.Builder
	for _, l := range transcript.Of(t, "pop3") {
		if l.Client {
			said.WriteString(l.Text + "\r\n")
		} else {
			want.WriteString(l.Text + "\r\n")
		}
	}
	d := &dovecots{drop("Subject: hello\r\n\r\n.dot\r\n\r\n", "Subject: two\r\n\r\nhello\r\n")}
	if got, err := talk(t, d, said.String()); got != want.String() || err != nil {
		t.Errorf("got  %q, %v\nwant %q", got, err, want.String())
	}
}

// dovecots is a fake with ids of Dovecot's form.
type dovecots struct{ *fake }

func (dovecots) AppendUIDL(dst []byte, n int) []byte { return fmt.Appendf(dst, "%08x6b02f296", n) }
