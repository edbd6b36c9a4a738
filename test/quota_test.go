package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestFullMailbox: mail for a mailbox without room waits in the queue, and comes
// when there is room.
func TestFullMailbox(t *testing.T) {
	i := suite.Server(t, instance.Options{Conf: "quota messages=2\nretry 1s\nretry-jitter 0\n"})
	for n := range 3 {
		if err := send(i.Addr["smtp"], suite.Bob, fmt.Sprintf("<quota-%d@test>", n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := i.WaitLog(suite.Limit, func(l string) bool { return strings.Contains(l, "status=4.2.2") }); err != nil {
		t.Fatal(err)
	}
	if got := len(suite.BoxFiles(i, suite.Bob, "")); got != 2 {
		t.Errorf("got %d messages, want 2", got)
	}
	file := filepath.Join(i.Dir, "mail", instance.Domain, strings.TrimSuffix(suite.Bob, "@"+instance.Domain), "Maildir", "maildirsize")
	for _, name := range []string{suite.BoxFiles(i, suite.Bob, "")[0], file} { // without the file the messages are counted
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	suite.Eventually(t, "the third message arrives", func() bool { return len(suite.BoxFiles(i, suite.Bob, "")) == 2 })
	if text, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "2C\n") {
		t.Errorf("got %q, %v", text, err)
	}
}
