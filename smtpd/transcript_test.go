package main

import (
	"testing"

	"posthorn/internal/conf"
	"posthorn/test/transcript"
)

// TestTranscript replays what doc/protocol/smtp.md shows.
func TestTranscript(t *testing.T) {
	r := start(t, func(c *conf.Config) {
		c.Hostname, c.Domains, c.MessageSize = "mx.example.org", []string{"example.org"}, 50<<20
	})
	c := r.connect("submit")
	for _, l := range transcript.Of(t, "smtp") {
		if l.Client {
			c.send(l.Text + "\r\n")
		} else if got := c.line(); !l.Is(got) {
			t.Fatalf("got %q, want %s", got, l.Text)
		}
	}
}
