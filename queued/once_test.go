package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/door"
	"posthorn/internal/dsn"
	"posthorn/internal/durable"
	"posthorn/internal/handover"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

// atOnce is newWorld with messages that go to their boxes at once.
func atOnce(t *testing.T, extra ...string) *world {
	t.Helper()
	w := newWorld(t, extra...)
	w.conf.AtOnce = true
	return w
}

// offer hands a message over and returns its id and the answer.
func (w *world) offer(d *spool.Draft) (string, error) {
	w.t.Helper()
	defer d.Close()
	c := door.New(w.conf.Socket("queue"))
	defer c.Close()
	return d.Envelope().ID, c.Submit(w.t.Context(), d)
}

// copies returns how often a box has a message.
func (w *world) copies(box, msg string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, d := range w.boxes[box] {
		if d.id == msg {
			n++
		}
	}
	return n
}

// counting returns a disk and the number of names that it gave.
func counting() (*durable.Disk, *atomic.Int32) {
	var links atomic.Int32
	return &durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "link" {
			links.Add(1)
		}
		return nil
	}}, &links
}

// slowly answers when the channel is closed.
func slowly(answer func(attr.List, *os.File) attr.List, when <-chan struct{}) func(attr.List, *os.File) attr.List {
	return func(req attr.List, f *os.File) attr.List {
		<-when
		return answer(req, f)
	}
}

func TestAtOnceLeavesNothingInTheSpool(t *testing.T) {
	t.Parallel()
	w := atOnce(t)
	disk, links := counting()
	r := w.runOn(disk)
	msg, err := w.offer(w.draft("ann@test", "bob@test", "carl@test"))
	if err != nil {
		t.Fatal(err)
	}
	for _, box := range []string{"bob@test", "carl@test"} {
		if n := w.copies(box, msg); n != 1 {
			t.Errorf("%s has %d copies when its maker is answered, want 1", box, n)
		}
	}
	w.awaitEmpty(r)
	if n := links.Load(); n != 0 {
		t.Errorf("got %d names in the queue, want none", n)
	}
	if len(w.log.lines("finished", "id="+msg, "ok=2", "failed=0")) != 1 {
		t.Errorf("log:\n%s", w.log)
	}
}

func TestAtOnceRefusedByAll(t *testing.T) {
	t.Parallel()
	w := atOnce(t)
	w.say["bob@test"], w.say["carl@test"] = never("no such box"), never("none here")
	r := w.run()
	_, err := w.offer(w.draft("ann@test", "bob@test", "carl@test"))
	if v := verdict.Of(err); v.Kind != verdict.Never || v.Text != "no such box" {
		t.Errorf("got %+v, want what the first box said", v)
	}
	w.awaitEmpty(r)
	if n := len(w.log.lines("notice")); n != 0 {
		t.Errorf("got %d notices for what the client was told, want none", n)
	}
}

// TestAtOnceKeeps shows what does not go at once, or not at once to its end:
// it comes to the queue with what is known, and no box gets it twice.
func TestAtOnceKeeps(t *testing.T) {
	t.Parallel()
	many := make([]string, onceBoxes+1)
	for i := range many {
		many[i] = fmt.Sprintf("u%d@test", i)
	}
	for _, c := range []struct {
		name   string
		conf   string
		rcpts  []string
		set    func(w *world, e *spool.Envelope)
		first  int // try at which bob@test, or u0@test, gets it
		finish string
	}{
		{"one box later", "", []string{"bob@test", "carl@test"}, func(w *world, _ *spool.Envelope) { w.say["carl@test"] = later("busy") }, 1, "ok=2"},
		{"one refuses", "", []string{"bob@test", "carl@test"}, func(w *world, _ *spool.Envelope) { w.say["carl@test"] = never("gone") }, 1, "failed=1"},
		{"another host too", "", []string{"bob@test", "far@b.example"}, nil, 1, "ok=2"},
		{"too many boxes", "", many, nil, 1, "ok=21"},
		{"boxes of several owners", "system-users yes", []string{"bob@test", "carl@test"}, nil, 1, "ok=2"},
		{"success is to be reported", "", []string{"bob@test"}, func(_ *world, e *spool.Envelope) { e.Rcpts[0].Notify = dsn.Success }, 1, "ok=1"},
		{"our own report", "", []string{"bob@test"}, func(_ *world, e *spool.Envelope) { e.Origin = "bounce" }, 1, "ok=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := atOnce(t, "retry 1s", c.conf)
			d := w.draft("ann@test", c.rcpts...)
			env := d.Envelope()
			d.Close()
			if c.set != nil {
				c.set(w, &env)
			}
			disk, links := counting()
			r := w.runOn(disk)
			msg, err := w.offer(w.draftAs(env))
			if err != nil {
				t.Fatal(err)
			}
			if n := links.Load(); n == 0 {
				t.Errorf("got no name in the queue, want the message kept")
			}
			w.set(func() { delete(w.say, "carl@test") })
			w.awaitEmpty(r)
			for _, box := range c.rcpts {
				if n := w.copies(box, msg); n > 1 {
					t.Errorf("%s: got %d copies, want one", box, n)
				}
			}
			if len(w.log.lines("finished", "id="+msg, c.finish)) != 1 {
				t.Errorf("want finished with %s, log:\n%s", c.finish, w.log)
			}
		})
	}
}

// TestAtOnceBoxesAreSlow has the client answered when the boxes have taken too
// long, and their late answer ends the message.
func TestAtOnceBoxesAreSlow(t *testing.T) {
	t.Parallel()
	w := atOnce(t)
	answered := make(chan struct{})
	w.deliver.stop()
	w.deliver.answer = slowly(w.deliver.answer, answered)
	w.deliver.start()
	r := w.run()
	r.onceWithin = time.Millisecond
	msg, err := w.offer(w.draft("ann@test", "bob@test"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.spool.Load(mustKnow(t, r, msg))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Targets[0].Try != 1 || m.Targets[0].Final() {
		t.Errorf("kept as try %d, final %v, want a first try that may come again", m.Targets[0].Try, m.Targets[0].Final())
	}
	close(answered)
	w.awaitEmpty(r)
	if n := w.copies("bob@test", msg); n != 1 {
		t.Errorf("got %d copies, want 1", n)
	}
}

// TestAtOnceAnswerLost has the maker keep a message that was delivered: it is
// not delivered again, even when a reader took it away.
func TestAtOnceAnswerLost(t *testing.T) {
	t.Parallel()
	w := atOnce(t)
	r := w.run()
	d := w.draft("ann@test", "bob@test")
	defer d.Close()
	if err := d.Finish(); err != nil {
		t.Fatal(err)
	}
	msg := d.Envelope().ID
	for range 2 { // the same request once more
		ro, err := attr.ReadOnly(d.File())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Submit(context.Background(), msg, ro); err != nil {
			t.Fatal(err)
		}
	}
	w.set(func() { w.boxes["bob@test"] = w.boxes["bob@test"][:1]; w.boxes["bob@test"][0].id = "taken away" })
	r.stop()
	if err := d.Keep(); err != nil {
		t.Fatal(err)
	}
	w.awaitEmpty(w.run()) // the start collects
	if names, _ := filepath.Glob(filepath.Join(w.conf.Spool, "incoming", "*")); len(names) != 0 {
		t.Errorf("got %v in incoming, want nothing", names)
	}
	if n := w.copies("bob@test", msg); n != 0 {
		t.Errorf("got %d further copies, want none", n)
	}
}

// TestAtOnceWithoutDeliver keeps the message for the time when deliver is back.
func TestAtOnceWithoutDeliver(t *testing.T) {
	t.Parallel()
	w := atOnce(t)
	w.deliver.stop()
	r := w.run()
	msg, err := w.offer(w.draft("ann@test", "bob@test"))
	if err != nil {
		t.Fatal(err)
	}
	w.deliver.start()
	w.awaitEmpty(r)
	if n := w.copies("bob@test", msg); n != 1 {
		t.Errorf("got %d copies, want 1", n)
	}
}

// TestAtOnceDiskFails has the queue refuse what the boxes put off.
func TestAtOnceDiskFails(t *testing.T) {
	t.Parallel()
	w := atOnce(t)
	w.say["bob@test"] = later("busy")
	r := w.runOn(&durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "link" {
			return errors.New("broken")
		}
		return nil
	}})
	d := w.draft("ann@test", "bob@test")
	if _, err := w.offer(d); verdict.Of(err).Kind != verdict.Later {
		t.Errorf("got %v, want later", err)
	}
	w.awaitEmpty(r)
}

// patient is deliver whose answer takes until the channel is closed; only then it
// looks at the message.
type patient struct {
	until  <-chan struct{}
	looked chan error
}

func (d patient) Do(_ context.Context, _ handover.DeliverRequest, f *os.File) ([]handover.DeliverResult, error) {
	<-d.until
	_, err := f.Stat()
	d.looked <- err
	return nil, verdict.New(verdict.Later, "4.3.0", "busy").Err()
}

// TestAtOnceDiskFailsMeanwhile has the queue refuse a message whose boxes have
// not answered: they have it in use for as long as they want.
func TestAtOnceDiskFailsMeanwhile(t *testing.T) {
	t.Parallel()
	w := atOnce(t)
	r := w.runOn(&durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "link" {
			return errors.New("broken")
		}
		return nil
	}})
	answered := make(chan struct{})
	d := patient{answered, make(chan error, 1)}
	r.queue.deliver, r.onceWithin = d, time.Millisecond
	if _, err := w.offer(w.draft("ann@test", "bob@test")); verdict.Of(err).Kind != verdict.Later {
		t.Errorf("got %v, want later", err)
	}
	close(answered)
	if err := <-d.looked; err != nil {
		t.Errorf("the message was taken from deliver: %v", err)
	}
	w.awaitEmpty(r)
}

func mustKnow(t *testing.T, r *running, msg string) spool.Ref {
	t.Helper()
	ref, ok := r.schedule.Known(msg)
	if !ok || !ref.Placed() {
		t.Fatalf("message %s is not in the queue", msg)
	}
	return ref
}
