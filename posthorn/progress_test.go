package main

import (
	"strings"
	"testing"

	"posthorn/posthorn/internal/moving"
)

func TestProgress(t *testing.T) {
	for _, bar := range []bool{false, true} {
		var out, err strings.Builder
		p := &progress{out: &out, err: &err, bar: bar}
		p.Folder("Work\x1b", "Work", 10, 4)
		p.Filed(1, 1<<20)
		p.Problem("Work: message 7: bad\r\nblock")
		p.Filed(3, 0)
		p.end(moving.Counts{Folders: 1, Filed: 3, Octets: 1 << 20, Already: 6, Failed: 1}, false)
		if got, want := out.String(), "Work? -> Work: 10 messages, 4 to bring\n1 folders: brought 3 messages (1.0 MiB), 6 were here, 1 failed; 0 folders keep their UIDs\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		got := err.String()
		if !strings.Contains(got, "posthorn: Work: message 7: bad??block\n") || strings.Contains(got, "[##############################] 4/4 ") != bar || bar && !strings.HasSuffix(got, "\r\x1b[K") {
			t.Errorf("bar %v: got %q", bar, got)
		}
	}
}
