package main

import (
	"os"
	"path/filepath"
	"testing"

	"posthorn/internal/attr"
	"posthorn/internal/durable"
	"posthorn/internal/id"
	"posthorn/internal/spool"
	"posthorn/test/transcript"
)

// TestTranscript replays what doc/protocol/queue.md shows.
func TestTranscript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	next := w.emptyFile()
	transcript.Replay(t, w.conf.Socket("queue"), transcript.Of(t, "queue"), func() *os.File {
		f := next
		next = w.messageFile("06ev0c8z1k3n5q7r9t2v4x6y8a")
		return f
	})
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
