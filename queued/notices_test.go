package main

import (
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
	"posthorn/internal/verdict"
)

func TestFailureWithoutSenderGoesToThePostmasterThenToOdd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say["far@b.example"] = never("no")
	r := w.run()
	w.submit("", "far@b.example")
	w.awaitEmpty(r)
	if got := w.boxes["root@test"]; len(got) != 1 || !strings.Contains(got[0].content, "sender cannot be told") {
		t.Errorf("postmaster: got %+v, want one notice", got)
	}
	w.set(func() { w.say["root@test"] = never("no such box") })
	w.submit("", "far@b.example")
	w.awaitLog("odd", "err=")
	w.awaitEmpty(r)
	if got := w.odd(); len(got) != 1 {
		t.Errorf("odd: got %v, want the notice", got)
	}
}

func TestBounceOfABounceGoesToThePostmaster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say["far@b.example"] = never("no")
	w.say["ann@test"] = never("gone")
	r := w.run()
	w.submit("ann@test", "far@b.example")
	w.awaitEmpty(r)
	if got := w.boxes["root@test"]; len(got) != 1 || !strings.Contains(got[0].content, "Final-Recipient: rfc822; ann@test") {
		t.Errorf("postmaster: got %+v, want one notice about ann", got)
	}
	if len(w.odd()) != 0 {
		t.Errorf("odd: got %v", w.odd())
	}
}

func TestTooOldIsReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s", "expire 2s", "delay-warning 1s")
	w.say["far@b.example"] = later("450 come back")
	r := w.run()
	w.submit("ann@test", "far@b.example")
	w.awaitEmpty(r)
	got := w.boxes["ann@test"]
	if len(got) != 2 {
		t.Fatalf("got %d notices, want a warning and a return; log:\n%s", len(got), w.log)
	}
	for i, want := range []string{"Action: delayed", "Action: failed"} {
		if !strings.Contains(got[i].content, want) {
			t.Errorf("notice %d: %q is missing in:\n%s", i, want, got[i].content)
		}
	}
	if !strings.Contains(got[1].content, "Status: 5.4.7") || !strings.Contains(got[1].content, "450 come back") {
		t.Errorf("return: got\n%s", got[1].content)
	}
}

func TestFailureIsReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say["far@b.example"] = verdict.New(verdict.Never, "5.1.1", "550 5.1.1 no such user")
	r := w.run()
	msg := w.submit("ann@test", "bob@test", "far@b.example", "away@null.example")
	w.awaitEmpty(r)
	got := w.boxes["ann@test"]
	if len(got) != 1 {
		t.Fatalf("got %d notices, want one; log:\n%s", len(got), w.log)
	}
	for _, want := range []string{"To: <ann@test>", "multipart/report", msg, "rfc822; far@b.example", "Status: 5.1.10",
		"smtp; 550 5.1.1 no such user", "Remote-MTA: dns; mx.b.example", "Subject: hello"} {
		if !strings.Contains(got[0].content, want) {
			t.Errorf("%q is missing in:\n%s", want, got[0].content)
		}
	}
	if strings.Contains(got[0].content, "bob@test") {
		t.Error("the notice speaks of who got the message")
	}
}

func TestTooOldForADeadDestination(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h", "expire 3s")
	w.silent["dead.example"] = true
	r := w.run()
	w.submit("ann@test", "far@dead.example")
	w.submit("ann@test", "near@dead.example") // waits for the gate, and is never tried
	w.awaitEmpty(r)
	got := w.boxes["ann@test"]
	if len(got) != 2 {
		t.Fatalf("got %d notices, want two; log:\n%s", len(got), w.log)
	}
	for _, n := range got {
		if !strings.Contains(n.content, "Status: 5.4.7") || !strings.Contains(n.content, "no host answers") {
			t.Errorf("got\n%s", n.content)
		}
	}
}

func TestTooOldForTheDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s", "expire 2s")
	w.missing["bob@test"] = later("tables unreadable")
	r := w.run()
	w.submit("ann@test", "bob@test", "carl@test")
	w.awaitEmpty(r)
	if got := w.boxes["ann@test"]; len(got) != 1 || strings.Count(got[0].content, "Status: 5.4.7") != 2 {
		t.Errorf("got %+v, want one notice of both", got)
	}
}

// TestADelayHasItsReason: of what a dead destination keeps from being tried, and
// of what our own deliver does.
func TestADelayHasItsReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s", "delay-warning 1s")
	w.silent["b.example"] = true
	r := w.run()
	w.submit("", "first@b.example")
	w.awaitLog("destination-dead", "destination=b.example")
	w.deliver.stop()
	for rcpt, want := range map[string]string{"bob@test": "x-posthorn; it could not be tried yet", "far@b.example": "4.4.1 no host answers"} {
		w.submit(rcpt[:3]+"@far.example", rcpt)
		warning := ""
		w.await("a warning", func() bool {
			for _, s := range w.sent {
				if s.Rcpts[0].String() == rcpt[:3]+"@far.example" {
					warning = s.content
				}
			}
			return warning != ""
		})
		if !strings.Contains(warning, want) {
			t.Errorf("%s: got %s\nwant %q in it", rcpt, warning, want)
		}
	}
	w.set(func() { clear(w.silent) })
	w.deliver.start()
	w.awaitEmpty(r)
}

// TestANoticeOnAFullDisk: a notice is in the queue, that it was made is not
// recorded, and the disk takes nothing more when the next queue starts. That one
// works all the same, and the sender is told once.
func TestANoticeOnAFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s")
	var full atomic.Bool
	disk := &durable.Disk{Writes: true, Hook: func(op durable.Op) error {
		if full.Load() && op.Name == "write" {
			return unix.ENOSPC
		}
		if op.Name == "link" && len(w.log.lines("queued", "origin=smtp")) == 2 {
			full.Store(true) // behind the name of the notice
		}
		return nil
	}}
	w.say["bob@test"], w.say["carl@test"] = later("busy"), later("busy")
	r := w.runOn(disk)
	w.submit("zed@test", "carl@test")
	w.submit("ann@test", "bob@test")
	w.set(func() { w.say["bob@test"] = never("gone") })
	w.awaitLog("spool-failed")
	r.stop()
	w.set(func() { delete(w.say, "carl@test") })
	r = w.runOn(disk)
	w.await("the other message", func() bool { return len(w.boxes["carl@test"]) > 0 })
	full.Store(false)
	w.awaitEmpty(r)
	if got := len(w.boxes["ann@test"]); got != 1 {
		t.Errorf("the sender was told %d times, want once", got)
	}
}

// TestANoticeWhoseRecordIsNotSynced goes all the same, without another queue.
func TestANoticeWhoseRecordIsNotSynced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s")
	var named, failed atomic.Bool
	w.say["bob@test"] = never("gone")
	r := w.runOn(&durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "link" && len(w.log.lines("queued", "origin=smtp")) == 1 {
			named.Store(true) // the notice
		}
		if op.Name == "sync" && named.Load() && failed.CompareAndSwap(false, true) {
			return unix.EIO
		}
		return nil
	}})
	w.submit("ann@test", "bob@test")
	w.awaitLog("spool-failed")
	w.awaitEmpty(r)
	if got := len(w.boxes["ann@test"]); got != 1 {
		t.Errorf("the sender was told %d times, want once", got)
	}
}

func TestADelayIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s", "delay-warning 1s")
	w.say["bob@test"] = later("busy")
	r := w.run()
	msg := w.submit("ann@test", "bob@test")
	nobody := w.submit("", "bob@test")
	w.await("a warning and more tries", func() bool {
		return len(w.boxes["ann@test"]) > 0 && len(w.log.lines("deferred", "id="+msg)) > 20 && len(w.log.lines("deferred", "id="+nobody)) > 20
	})
	w.set(func() { delete(w.say, "bob@test") })
	w.awaitEmpty(r)
	if len(w.boxes["ann@test"]) != 1 || len(w.boxes["root@test"]) != 0 {
		t.Errorf("got %d warnings and %d for the postmaster, want one and none", len(w.boxes["ann@test"]), len(w.boxes["root@test"]))
	}
}
