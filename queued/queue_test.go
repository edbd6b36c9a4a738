package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/door"
	"posthorn/internal/durable"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

func later(text string) verdict.Verdict { return verdict.New(verdict.Later, "4.2.0", text) }
func never(text string) verdict.Verdict { return verdict.New(verdict.Never, "5.1.1", text) }

func TestSubmittedAndDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run()
	c := door.New(w.conf.Socket("queue"))
	defer c.Close()
	if err := c.Probe(t.Context(), spool.Incoming{Dir: filepath.Join(w.conf.Spool, "incoming"), Disk: r.disk}); err != nil {
		t.Fatalf("probe: %v", err)
	}
	msg := w.submit("ann@test", "bob@test", "carl@test")
	w.awaitEmpty(r)
	for _, box := range []string{"bob@test", "carl@test"} {
		w.mu.Lock()
		got := w.boxes[box]
		w.mu.Unlock()
		if len(got) != 1 || got[0] != (delivery{msg, 1, body}) {
			t.Errorf("%s: got %+v, want the message once, at try 1", box, got)
		}
	}
	if len(w.log.lines("finished", "id="+msg, "ok=2", "failed=0")) != 1 {
		t.Errorf("log:\n%s", w.log)
	}
}

func TestAliasesAreExpandedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aliases["all@test"] = []directory.Target{
		{Kind: "box", Value: "bob@test", Rcpt: "bob@test", Origin: "aliases:1"},
		{Kind: "address", Value: "far@b.example", Rcpt: "far@b.example", Origin: "aliases:1"},
	}
	r := w.run()
	w.submit("ann@test", "bob@test", "all@test")
	w.awaitEmpty(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.boxes["bob@test"]) != 1 {
		t.Errorf("bob: got %d copies, want 1", len(w.boxes["bob@test"]))
	}
	if len(w.sent) != 1 || w.sent[0].Hosts[0].Name != "mx.b.example" || w.sent[0].content != body {
		t.Errorf("sent: got %+v", w.sent)
	}
	if len(w.log.lines("expanded", "rcpt=all@test", "to=far@b.example", "where=aliases:1")) != 1 {
		t.Errorf("log:\n%s", w.log)
	}
}

func TestDeferredAndTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s")
	w.say["bob@test"] = later("box busy")
	r := w.run()
	msg := w.submit("ann@test", "bob@test", "carl@test")
	w.awaitLog("deferred", "id="+msg, "left=1", "try=1")
	w.set(func() { delete(w.say, "bob@test") })
	w.awaitEmpty(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.boxes["bob@test"]; len(got) != 1 || got[0].try != 2 {
		t.Errorf("bob: got %+v, want one at try 2", got)
	}
	if got := w.boxes["carl@test"]; len(got) != 1 {
		t.Errorf("carl: got %+v, want one", got)
	}
}

func TestABoxNoLongerNamedGetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s 5m")
	w.say["bob@test"] = later("box busy")
	r := w.run()
	msg := w.submit("ann@test", "bob@test")
	w.awaitLog("deferred", "id="+msg)
	w.set(func() {
		delete(w.say, "bob@test")
		w.aliases["bob@test"] = []directory.Target{{Kind: "box", Value: "carl@test", Rcpt: "carl@test"}}
	})
	w.awaitLog("outcome", "id="+msg, "verdict=later", "to=bob@test")
	r.stop()
	if got := w.boxes["bob@test"]; len(got) != 0 {
		t.Errorf("got %+v, want nothing for a box that is not named", got)
	}
}

func TestRestartTriesWithTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deliver.stop()
	r := w.run()
	msg := w.submit("ann@test", "bob@test")
	w.awaitLog("destination-dead", "destination=@deliver")
	r.stop()
	if w.files() != 1 {
		t.Fatalf("got %d files, want the message", w.files())
	}
	w.deliver.start()
	r = w.run()
	w.awaitEmpty(r)
	if got := w.boxes["bob@test"]; len(got) != 1 || got[0].id != msg || got[0].try != 2 {
		t.Errorf("got %+v, want one at try 2", got)
	}
}

func TestDaemonsThatComeBackAreFoundSoon(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"deliver", "remote", "auth"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "retry 1h")
			f := map[string]*fake{"deliver": w.deliver, "remote": w.remote, "auth": w.authd}[name]
			f.stop()
			r := w.run()
			w.submit("ann@test", "bob@test", "far@b.example")
			w.awaitLog("destination-dead", "destination=@")
			f.start()
			w.awaitEmpty(r)
			if len(w.boxes["bob@test"]) != 1 || len(w.sent) != 1 {
				t.Errorf("got %+v and %+v, want one each", w.boxes, w.sent)
			}
			w.awaitLog("destination-back")
		})
	}
}

func TestUnknownRecipientFoundAtIntake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.missing["gone@test"] = never("no such user here")
	r := w.run()
	w.submit("ann@test", "gone@test", "bob@test")
	w.awaitEmpty(r)
	if len(w.boxes["bob@test"]) != 1 || len(w.boxes["ann@test"]) != 1 {
		t.Errorf("got %+v, want the message for bob and a notice for ann", w.boxes)
	}
}

func TestHalfAnExpansionIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s")
	w.missing["bad@test"] = later("aliases unreadable")
	r := w.run()
	msg := w.submit("ann@test", "bob@test", "bad@test")
	w.awaitLog("unexpanded", "id="+msg)
	w.set(func() {
		if len(w.boxes) != 0 {
			t.Errorf("got %+v before everybody was known", w.boxes)
		}
		delete(w.missing, "bad@test")
	})
	w.awaitEmpty(r)
	if len(w.boxes["bob@test"]) != 1 || len(w.boxes["bad@test"]) != 1 {
		t.Errorf("got %+v, want one each", w.boxes)
	}
}

func TestKeptWhileAwayIsCollected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.submit("ann@test", "bob@test") // nobody listens: kept
	r := w.run()
	w.awaitEmpty(r)
	d := w.draft("ann@test", "carl@test")
	defer d.Close()
	if err := d.Keep(); err != nil {
		t.Fatal(err)
	}
	w.await("the second", func() bool { return len(w.boxes["carl@test"]) == 1 })
	w.awaitEmpty(r)
	if got := w.boxes["bob@test"]; len(got) != 1 || got[0].id != first || got[0].try != 2 {
		t.Errorf("got %+v, want the kept one at try 2", got)
	}
}

// A maker that gave up and kept its message is heard all the same, while the
// message is being collected.
func TestCollectedWhileItsMakerIsHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked, answer := make(chan bool, 1), make(chan bool)
	resolve := w.authd.answer
	w.authd.answer = func(req attr.List, f *os.File) attr.List {
		select {
		case asked <- true:
		default:
		}
		<-answer
		return resolve(req, f)
	}
	d := w.draft("ann@test", "bob@test")
	defer d.Close()
	c := door.New(w.conf.Socket("queue"))
	defer c.Close()
	submitted := make(chan error, 1)
	w.runOn(&durable.Disk{Hook: func(op durable.Op) error {
		if op.Name != "unlink" || filepath.Base(filepath.Dir(op.Path)) != "incoming" {
			return nil
		}
		go func() { submitted <- c.Submit(t.Context(), d) }()
		select {
		case <-asked:
		case err := <-submitted:
			submitted <- err
		}
		return nil
	}})
	if err := d.Keep(); err != nil {
		t.Fatal(err)
	}
	w.await("the collection", func() bool { return len(w.log.lines("collected")) == 1 })
	close(answer)
	if err := <-submitted; err == nil {
		t.Error("the maker was told that the message is taken, want that it is being handled")
	}
	w.await("the message", func() bool { return len(w.boxes["bob@test"]) > 0 })
	if got := w.boxes["bob@test"]; len(got) != 1 {
		t.Errorf("got %+v, want one", got)
	}
}

func TestResubmissionIsOneMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deliver.stop()
	r := w.run()
	d := w.draft("ann@test", "bob@test")
	defer d.Close()
	c := door.New(w.conf.Socket("queue"))
	defer c.Close()
	for range 2 {
		if err := c.Submit(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if w.files() != 1 || r.schedule.Len() != 1 {
		t.Errorf("got %d files and %d items, want one each", w.files(), r.schedule.Len())
	}
	w.deliver.start()
	w.awaitEmpty(r)
	if err := c.Submit(t.Context(), d); err != nil { // delivered meanwhile
		t.Fatal(err)
	}
	w.awaitEmpty(r)
	if got := w.boxes["bob@test"]; len(got) != 1 {
		t.Errorf("got %d copies, want 1", len(got))
	}
}

func TestSecondQueuedIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run()
	w.submit("ann@test", "bob@test")
	w.awaitEmpty(r)
	if err := os.Remove(w.conf.Socket("queue")); err != nil { // else the socket refuses it already
		t.Fatal(err)
	}
	q, err := w.open(r.disk)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), "another queued") {
		t.Errorf("got %v, want it refused", err)
	}
	q.listener.Close()
}

func TestNextTryIsOnDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	w.say["bob@test"] = later("busy")
	r := w.run()
	msg := w.submit("ann@test", "bob@test")
	w.awaitLog("deferred", "id="+msg)
	r.stop()
	w.set(func() { delete(w.say, "bob@test") })
	r = w.run()
	<-r.known
	w.awaitLog("queue-found", "messages=1")
	info, ok := r.schedule.Lookup(msg)
	if !ok || time.Until(info.Next) < 30*time.Second || info.Try != 1 {
		t.Errorf("got %+v, want it due by its schedule", info)
	}
	if len(w.boxes) != 0 {
		t.Error("tried at the start, against its schedule")
	}
}

func TestAFullDiskIsSaidToTheMaker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var full atomic.Bool
	r := w.runOn(&durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "sync" && full.Load() {
			return syscall.ENOSPC
		}
		return nil
	}})
	full.Store(true)
	d := w.draft("ann@test", "bob@test")
	defer d.Close()
	c := door.New(w.conf.Socket("queue"))
	defer c.Close()
	if v := verdict.Of(c.Submit(t.Context(), d)); v.Kind != verdict.Later || v.Status != "4.3.1" {
		t.Errorf("got %+v, want later 4.3.1", v)
	}
	full.Store(false)
	w.submit("ann@test", "bob@test")
	w.awaitEmpty(r)
	if len(w.boxes["bob@test"]) != 1 {
		t.Errorf("got %+v, want the second alone", w.boxes)
	}
}

// TestAFileOfAnotherMountIsKept: a message that was begun before queued was
// started again in a mount namespace of its own comes by way of incoming, and
// nobody is told of a refusal that is none.
func TestAFileOfAnotherMountIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var elsewhere atomic.Bool
	r := w.runOn(&durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "link" && elsewhere.CompareAndSwap(true, false) {
			return syscall.EXDEV
		}
		return nil
	}})
	elsewhere.Store(true)
	msg := w.submit("ann@test", "bob@test")
	w.awaitLog("collected", "id="+msg)
	w.awaitEmpty(r)
	if got := w.boxes["bob@test"]; len(got) != 1 {
		t.Errorf("got %d copies, want 1", len(got))
	}
	if got := w.log.lines("not-queued"); len(got) > 0 {
		t.Errorf("got %q, want no such line", got)
	}
}

func TestAFileRemovedByHandIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	w.say["bob@test"] = later("busy")
	r := w.run()
	msg := w.submit("ann@test", "bob@test")
	w.awaitLog("deferred", "id="+msg)
	files, _ := filepath.Glob(filepath.Join(w.conf.Spool, "queue", "*", msg))
	if len(files) != 1 {
		t.Fatalf("got %v", files)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	r.schedule.FlushAll()
	w.awaitEmpty(r)
}

func TestDirectoryThatSaysLaterIsAskedBySchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h")
	w.missing["bob@test"] = later("tables unreadable")
	r := w.run()
	msg := w.submit("ann@test", "bob@test")
	w.awaitLog("deferred", "id="+msg, "try=1")
	r.schedule.FlushAll()
	w.awaitLog("deferred", "id="+msg, "try=2")
	w.set(func() { delete(w.missing, "bob@test") })
	r.schedule.FlushAll()
	w.awaitEmpty(r)
	if len(w.boxes["bob@test"]) != 1 {
		t.Errorf("got %+v, want one", w.boxes)
	}
}

func TestReloadRefusesAsAWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run()
	bad := *w.conf
	bad.Smarthosts = append(bad.Smarthosts, w.conf.Smarthosts...)
	bad.Postmaster = "not an address"
	before := r.settings.Load()
	if err := r.Reload(&bad); err == nil {
		t.Error("got no error")
	}
	if r.settings.Load() != before {
		t.Error("the settings changed")
	}
	if err := os.WriteFile(w.conf.TransportFile, []byte("garbage\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(w.conf); err == nil || !strings.Contains(err.Error(), "transport:1") {
		t.Errorf("broken transport table: got %v, want its file and line", err)
	}
	if err := os.Remove(w.conf.TransportFile); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(w.conf); err != nil {
		t.Error(err)
	}
}

// TestRetryJitter: what came together does not stay together, and nothing is
// tried too soon or far too late.
func TestRetryJitter(t *testing.T) {
	d := time.Hour
	s := &settings{Config: &conf.Config{Retry: []time.Duration{d}, RetryJitter: 20}}
	seen := make(map[time.Duration]bool)
	for range 200 {
		got := s.wait(1)
		if got < d || got > d+d/5 {
			t.Fatalf("got a wait of %v, want one from %v to %v", got, d, d+d/5)
		}
		seen[got] = true
	}
	if len(seen) < 2 {
		t.Errorf("got %d different waits of 200, want them spread", len(seen))
	}
}
