package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"posthorn/internal/conf"
)

// TestTranscript replays what doc/protocol/smtp.md shows.
func TestTranscript(t *testing.T) {
	page, err := os.ReadFile("../doc/protocol/smtp.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, ok := strings.Cut(string(page), "\nA transcript of submit.sock, which the tests replay:\n\n")
	if !ok {
		t.Fatal("doc/protocol/smtp.md does not end with the transcript")
	}
	r := start(t, func(c *conf.Config) {
		c.Hostname, c.Domains, c.MessageSize = "mx.example.org", []string{"example.org"}, 50<<20
	})
	c := r.connect("submit")
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "    "), "\n")
		if said, ok := strings.CutPrefix(line, "C: "); ok {
			c.send(said + "\r\n")
			continue
		}
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimPrefix(line, "S: ")), "…", ".*") + "$"
		if got := c.line(); !regexp.MustCompile(pattern).MatchString(got) {
			t.Fatalf("got %q, want %s", got, line)
		}
	}
}
