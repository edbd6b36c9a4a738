package test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestControlTranscript replays what doc/protocol/control.md shows.
func TestControlTranscript(t *testing.T) {
	text, err := os.ReadFile("../doc/protocol/control.md")
	if err != nil {
		t.Fatal(err)
	}
	i := suite.Server(t, instance.Options{})
	u, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(i.Dir, "sockets", "control", "queued.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	c := attr.NewConn(u)
	defer c.Close()
	c.SetDeadline(time.Now().Add(suite.Limit))
	lists := transcript(string(text))
	if len(lists) < 2 || len(lists)%2 != 0 {
		t.Fatalf("got %d requests and answers", len(lists))
	}
	for n := 0; n < len(lists); n += 2 {
		if err := c.Write(lists[n], nil); err != nil {
			t.Fatal(err)
		}
		got, _, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		if !alike(got, lists[n+1]) {
			t.Errorf("%v: got %v, want %v", lists[n], got, lists[n+1])
		}
	}
}

// transcript returns the requests and answers of a page, in turn.
func transcript(page string) (lists []attr.List) {
	var now attr.List
	for line := range strings.Lines(page) {
		who, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if who != "    C" && who != "    S" || !ok {
			continue
		}
		if rest == "" {
			lists, now = append(lists, now), nil
			continue
		}
		name, value, _ := strings.Cut(rest[1:], "=")
		now.Add(name, value)
	}
	return lists
}

// alike is equality, where a wanted <...> takes any value.
func alike(got, want attr.List) bool {
	if len(got) != len(want) {
		return false
	}
	for n, w := range want {
		any := strings.HasPrefix(w.Value, "<") && got[n].Value != ""
		if got[n].Name != w.Name || got[n].Value != w.Value && !any {
			return false
		}
	}
	return true
}
