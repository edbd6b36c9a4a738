package main

import (
	"context"
	"testing"

	"posthorn/internal/door"
	"posthorn/internal/verdict"
)

// TestNewMailDoesNotWaitForTheOld: what was found at the start is read while new
// messages are taken and delivered.
func TestNewMailDoesNotWaitForTheOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	w.say["bob@test"] = later("busy")
	r := w.run()
	old := w.submit("ann@test", "bob@test")
	w.awaitLog("deferred", "id="+old)
	r.stop()

	w.read = make(chan struct{})
	r = w.run()
	w.submit("ann@test", "carl@test")
	w.await("the new message", func() bool { return len(w.boxes["carl@test"]) == 1 })
	c := r.control()
	all, _, _, err := c.List(t.Context(), "")
	if err != nil || len(all) == 0 || all[0].ID != old || all[0].State != "deferred" || all[0].Rcpt != "bob@test" {
		t.Errorf("got %+v, %v, want the old message listed", all, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if v := r.whole(ended); v.Kind != verdict.Later {
		t.Errorf("whole: got %v, want later", v)
	}

	w.set(func() { delete(w.say, "bob@test") })
	flushed := make(chan error, 1)
	go func() { // waits until all is read
		n, err := c.Do(context.Background(), door.RequestFlush)
		if err == nil && n != 1 {
			t.Errorf("flush: got %d messages, want 1", n)
		}
		flushed <- err
	}()
	close(w.read)
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	w.awaitEmpty(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.boxes["bob@test"]; len(got) != 1 || got[0].try < 2 {
		t.Errorf("got %+v, want the old one, at a later try", got)
	}
}

// TestStopsWhileReading: a queue that is told to end does not read on.
func TestStopsWhileReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	w.say["bob@test"] = later("busy")
	r := w.run()
	for range 3 {
		w.awaitLog("deferred", "id="+w.submit("ann@test", "bob@test"))
	}
	r.stop()
	w.read = make(chan struct{}, 1)
	r = w.run()
	w.read <- struct{}{} // one is read, the next one is not
	go close(w.read)
	r.stop()
	w.read = nil
	r = w.run()
	if _, err := r.control().Do(t.Context(), door.RequestFlush); err != nil || r.schedule.Len() != 3 {
		t.Errorf("got %d messages, %v, want 3", r.schedule.Len(), err)
	}
}
