package main

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/durable"
)

// TestATryCountsThoughItIsNotWritten: the box has the message, the disk does not
// let it go, and then deliver is away for a while: the box is told to look.
func TestATryCountsThoughItIsNotWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s")
	var once atomic.Bool
	r := w.runOn(&durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "unlink" && once.CompareAndSwap(false, true) {
			w.deliver.stop()
			return syscall.EIO
		}
		return nil
	}})
	w.submit("ann@test", "bob@test")
	w.awaitLog("destination-dead", "destination=@deliver")
	w.await("a rest", func() bool { return len(w.log.lines("destination-dead")) > 1 })
	w.deliver.start()
	w.awaitEmpty(r)
	if got := w.boxes["bob@test"]; len(got) != 1 {
		t.Errorf("got %d copies, want 1: %+v", len(got), got)
	}
}

// TestATryCountsThoughItEndsInABug: likewise where a bug ends the pass behind the
// attempt.
func TestATryCountsThoughItEndsInABug(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var once atomic.Bool
	r := w.runOn(&durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "unlink" && once.CompareAndSwap(false, true) {
			panic("a bug")
		}
		return nil
	}})
	w.submit("ann@test", "bob@test")
	w.awaitLog("crashed")
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if infos, _ := r.schedule.List("", 1); len(infos) == 1 && infos[0].State == "deferred" {
			break
		}
	}
	r.schedule.FlushAll()
	w.awaitEmpty(r)
	if got := w.boxes["bob@test"]; len(got) != 1 {
		t.Errorf("got %d copies, want 1: %+v", len(got), got)
	}
}
