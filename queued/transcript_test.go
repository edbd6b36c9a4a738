package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/durable"
	"posthorn/internal/id"
	"posthorn/internal/spool"
)

// TestTranscript replays what doc/protocol/queue.md shows.
func TestTranscript(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/transcript")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../doc/protocol/queue.md")
	if err != nil {
		t.Fatal(err)
	}
	indented := "    " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    ") + "\n"
	if !strings.HasSuffix(string(page), "\n\n"+indented) {
		t.Error("doc/protocol/queue.md does not end with the transcript")
	}
	w := newWorld(t)
	w.run()
	u, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: w.conf.Socket("queue"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	c := attr.NewConn(u)
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	f := w.emptyFile()
	for request, answer := range exchanges(t, string(text)) {
		if err := c.Write(request, f); err != nil {
			t.Fatal(err)
		}
		got, _, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		a, _ := attr.Append(nil, got)
		b, _ := attr.Append(nil, answer)
		if string(a) != string(b) {
			t.Errorf("%v: got %v, want %v", request, got, answer)
		}
		if request.Get("request") == "probe" {
			f = w.messageFile("06ev0c8z1k3n5q7r9t2v4x6y8a")
		}
	}
}

// exchanges yields the requests of a transcript with their answers.
func exchanges(t *testing.T, text string) func(yield func(request, answer attr.List) bool) {
	t.Helper()
	var lists []attr.List
	var now attr.List
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		rest = strings.TrimPrefix(rest, " ")
		if rest == "" {
			lists, now = append(lists, now), nil
			continue
		}
		name, value, _ := strings.Cut(rest, "=")
		now.Add(name, value)
	}
	return func(yield func(request, answer attr.List) bool) {
		for i := 0; i+1 < len(lists); i += 2 {
			if !yield(lists[i], lists[i+1]) {
				return
			}
		}
	}
}

func (w *world) readOnly(f *os.File) *os.File {
	w.t.Helper()
	ro, err := attr.ReadOnly(f)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { ro.Close() })
	return ro
}

func (w *world) emptyFile() *os.File {
	w.t.Helper()
	in := spool.Incoming{Dir: filepath.Join(w.conf.Spool, "incoming"), Disk: &durable.Disk{}}
	f, done, err := in.Empty(id.New())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(done)
	return w.readOnly(f)
}

func (w *world) messageFile(msg string) *os.File {
	w.t.Helper()
	d := w.draftOf(msg, "ann@test", "bob@test")
	w.t.Cleanup(func() { d.Close() })
	if err := d.Finish(); err != nil {
		w.t.Fatal(err)
	}
	return w.readOnly(d.File())
}
