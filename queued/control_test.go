package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/internal/attr"
	"posthorn/internal/daemon"
	"posthorn/internal/door"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
)

// control serves the queue's control requests and returns a client.
func (r *running) control() *door.Control {
	r.w.t.Helper()
	requests := map[string]daemon.ControlFunc{}
	r.register(func(request string, f daemon.ControlFunc) { requests[request] = f })
	path := filepath.Join(r.w.dir, "control.sock")
	l, err := sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		r.w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s := &sock.Server{Name: "control", Proto: daemon.ControlProto, Log: evlog.New(io.Discard)}
	s.Handle = func(ctx context.Context, _ sock.Peer, req attr.List, _ *os.File) (attr.List, *os.File) {
		return requests[req.Get("request")](ctx, req), nil
	}
	go func() { defer close(done); s.Serve(ctx, l) }()
	r.w.t.Cleanup(func() { cancel(); <-done })
	c := door.NewControl(path)
	r.w.t.Cleanup(c.Close)
	return c
}

func TestListAndShow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	w.say["bob@test"] = later("box \"busy\"")
	w.silent["dead.example"] = true
	r := w.run()
	c := r.control()
	ids := []string{w.submit("ann@test", "bob@test", "carl@test"), w.submit("", "x@dead.example")}
	for _, msg := range ids {
		w.awaitLog("deferred", "id="+msg)
	}
	w.await("both at rest", func() bool {
		page, _ := r.schedule.List("", 10)
		return len(page) == 2 && page[0].State != "active" && page[1].State != "active"
	})
	page, total, more, err := c.List(t.Context(), "")
	if err != nil || total != 2 || more || len(page) != 2 {
		t.Fatalf("list: got %+v, %d, %v, %v", page, total, more, err)
	}
	if s := page[0]; s.ID != ids[0] || s.State != "deferred" || s.From != "ann@test" || s.Rcpts != 2 || s.Rcpt != "bob@test" || s.Try != 1 || s.Size != int64(len(body)) || s.Next.IsZero() {
		t.Errorf("first: got %+v", s)
	}
	if s := page[1]; s.State != "waiting" || s.Waiting != "dead.example" || s.From != "" {
		t.Errorf("second: got %+v", s)
	}
	if page, _, _, err := c.List(t.Context(), ids[0]); err != nil || len(page) != 1 || page[0].ID != ids[1] {
		t.Errorf("behind the first: got %+v, %v", page, err)
	}
	d, err := c.Show(t.Context(), ids[0])
	if err != nil || len(d.Targets) != 2 || len(d.Recipients) != 2 {
		t.Fatalf("show: got %+v, %v", d, err)
	}
	if got := d.Targets[0]; got.Kind != "box" || got.Value != "bob@test" || got.Verdict != "later" || got.Text != `box "busy"` || got.Try != 1 || got.Origin != "users:1" {
		t.Errorf("bob: got %+v", got)
	}
	if got := d.Targets[1]; got.Verdict != "done" {
		t.Errorf("carl: got %+v", got)
	}
	if _, err := c.Show(t.Context(), "0000000000000000000000000x"); err == nil {
		t.Error("show of nothing: got no error")
	}
}

func TestShowOfManyTargetsComesInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	var rcpts []string
	for i := range 2*door.MaxPage + 7 {
		rcpt := fmt.Sprintf("u%d@test", i)
		rcpts = append(rcpts, rcpt)
		w.say[rcpt] = later("busy")
	}
	r := w.run()
	c := r.control()
	msg := w.submit("ann@test", rcpts...)
	w.awaitLog("deferred", "id="+msg)
	d, err := c.Show(t.Context(), msg)
	if err != nil || len(d.Targets) != len(rcpts) {
		t.Fatalf("got %d targets, %v, want %d", len(d.Targets), err, len(rcpts))
	}
	for i := range rcpts {
		if d.Targets[i].Value != rcpts[i] {
			t.Fatalf("target %d: got %s, want %s", i, d.Targets[i].Value, rcpts[i])
		}
	}
}

func TestFlush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	w.silent["dead.example"] = true
	w.say["bob@test"] = later("busy")
	r := w.run()
	c := r.control()
	one, two := w.submit("ann@test", "x@dead.example"), w.submit("ann@test", "bob@test")
	w.awaitLog("deferred", "id="+one)
	w.awaitLog("deferred", "id="+two)
	w.set(func() { w.silent["dead.example"] = false; delete(w.say, "bob@test") })
	if n, err := c.Do(t.Context(), door.RequestFlush, one, "0000000000000000000000000x"); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", n, err)
	}
	w.awaitLog("finished", "id="+one)
	if n, err := c.Do(t.Context(), door.RequestFlush); n != 1 || err != nil {
		t.Errorf("all: got %d, %v, want 1", n, err)
	}
	w.awaitEmpty(r)
}

func TestHoldSurvivesARestartAndRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	w.say["bob@test"] = later("busy")
	r := w.run()
	c := r.control()
	msg := w.submit("ann@test", "bob@test")
	w.awaitLog("deferred", "id="+msg)
	if n, err := c.Do(t.Context(), door.RequestHold, msg); n != 1 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	w.set(func() { delete(w.say, "bob@test") })
	if n, _ := c.Do(t.Context(), door.RequestFlush); n != 0 {
		t.Errorf("flush of a held message: got %d, want 0", n)
	}
	r.stop()
	r = w.run()
	<-r.known
	if info, _ := r.schedule.Lookup(msg); info.State != "held" {
		t.Errorf("after a restart: got %+v, want it held", info)
	}
	if !r.release(msg) {
		t.Fatal("not released")
	}
	w.awaitEmpty(r)
	if len(w.boxes["bob@test"]) != 1 {
		t.Errorf("got %+v", w.boxes)
	}
}

func TestHoldAndRemoveWhileInWork(t *testing.T) {
	t.Parallel()
	for _, request := range []string{door.RequestHold, door.RequestRemove} {
		w := newWorld(t, "retry 1h")
		inside, release := make(chan struct{}), make(chan struct{})
		answer := w.deliver.answer
		w.deliver.stop()
		w.deliver.answer = func(req attr.List, f *os.File) attr.List {
			close(inside)
			<-release
			return answer(req, f)
		}
		w.deliver.start()
		w.say["bob@test"] = later("busy")
		r := w.run()
		msg := w.submit("ann@test", "bob@test")
		<-inside
		c := r.control()
		if n, err := c.Do(t.Context(), request, msg); n != 1 || err != nil {
			t.Fatalf("%s: got %d, %v", request, n, err)
		}
		close(release)
		if request == door.RequestRemove {
			w.awaitEmpty(r)
			w.awaitLog("discarded", "id="+msg)
			continue
		}
		w.await("held", func() bool { i, _ := r.schedule.Lookup(msg); return i.State == "held" && r.schedule.Len() == 1 })
		r.stop()
		files, _ := filepath.Glob(filepath.Join(w.conf.Spool, "queue", "*", msg))
		if len(files) != 1 {
			t.Fatalf("got %v", files)
		}
		if b, _ := os.ReadFile(files[0]); !strings.Contains(string(b), "hold=yes") {
			t.Errorf("the file does not say that it is held:\n%s", b)
		}
	}
}

func TestRequestsWithoutMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run()
	answer := r.each(attr.List{{Name: "request", Value: "hold"}}, r.hold)
	if v, err := sock.Verdict(answer); err != nil || v.Err() == nil {
		t.Errorf("got %v, %v, want a refusal", v, err)
	}
}
