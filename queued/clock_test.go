package main

import (
	"testing"
	"time"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// What rests when the clock is set keeps its age; set back, it keeps what is
// left of its rest, and set ahead it is due.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		by   time.Duration
		due  bool
	}{{"back a day", -day, false}, {"back years", -20 * year, false}, {"ahead a day", day, true}, {"ahead years", 20 * year, true}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "retry 1h", "delay-warning 4h", "expire 5d")
			w.say["bob@test"], w.silent["dead.example"] = later("busy"), true
			r := w.run()
			msg, gated := w.submit("ann@test", "bob@test"), w.submit("ann@test", "x@dead.example")
			w.awaitLog("deferred", "id="+msg, "try=1")
			w.awaitLog("deferred", "id="+gated, "try=1")
			w.ahead.Store(int64(c.by))
			fresh := w.submit("ann@test", "bob@test") // most likely before the step is noticed
			w.awaitLog("deferred", "id="+fresh, "try=1")
			w.awaitLog("clock-set")
			if c.due {
				w.awaitLog("deferred", "id="+msg, "try=2")
				w.awaitLog("deferred", "id="+gated, "try=2")
			}
			for _, m := range []string{msg, gated, fresh} {
				info, ok := r.schedule.Lookup(m)
				if left := info.Next.Sub(r.now()); !ok || left < -time.Second || left > time.Minute {
					t.Errorf("got %+v, next in %v, want it in less than 36 s", info, left)
				}
				if age := r.now().Sub(info.Arrived); age < 0 || age > time.Minute {
					t.Errorf("got %+v, %v old, want the seconds that it has been here", info, age)
				}
			}
			if got := w.boxes["ann@test"]; len(got) != 0 {
				t.Errorf("the sender got %+v, want nothing: no message is old", got)
			}
			if n := len(w.log.lines("clock-set")); n != 1 {
				t.Errorf("got %d steps of the clock, want one", n)
			}
			w.set(func() { delete(w.say, "bob@test"); delete(w.silent, "dead.example") })
			r.schedule.FlushAll()
			w.awaitEmpty(r)
		})
	}
}

// A message that was put off under another clock is tried at the start, and
// not given up before.
func TestStartUnderAnotherClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		before, then time.Duration
	}{{"set back meanwhile", 20 * year, 0}, {"set ahead meanwhile", 0, 20 * year}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "retry 1h")
			w.say["bob@test"] = later("busy")
			w.ahead.Store(int64(c.before))
			r := w.run()
			msg := w.submit("ann@test", "bob@test")
			w.awaitLog("deferred", "id="+msg)
			r.stop()
			w.set(func() { delete(w.say, "bob@test") })
			w.ahead.Store(int64(c.then))
			r = w.run()
			w.awaitEmpty(r)
			if len(w.boxes["bob@test"]) != 1 || len(w.boxes["ann@test"]) != 0 {
				t.Errorf("got %+v, want the message for bob and nothing else", w.boxes)
			}
		})
	}
}

// A message from a future that was a mistake does not get younger every year.
func TestFutureArrivalIsNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1s", "expire 20s")
	w.deliver.stop()
	r := w.run()
	d := w.draft("ann@test", "bob@test")
	defer d.Close()
	r.stop()
	if err := d.Keep(); err != nil {
		t.Fatal(err)
	}
	w.ahead.Store(int64(-year))
	w.say["bob@test"] = later("busy")
	w.deliver.start()
	r = w.run()
	w.awaitEmpty(r) // returned after 2 s
	if len(w.boxes["ann@test"]) != 1 {
		t.Errorf("got %+v, want the message returned to its sender", w.boxes)
	}
}

// What got too old while we were off, or by a clock that is wrong, is not
// returned because a daemon of ours is not there yet.
func TestTooOldWaitsForOurDaemons(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"auth", "deliver", "remote"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "delay-warning 0")
			f := map[string]*fake{"deliver": w.deliver, "remote": w.remote, "auth": w.authd}[name]
			f.stop()
			r := w.run()
			w.submit("ann@test", "bob@test", "far@b.example")
			w.awaitLog("destination-dead", "destination=@")
			r.stop()
			n := len(w.log.lines("destination-dead"))
			w.ahead.Store(int64(year))
			r = w.run()
			w.await("nobody there", func() bool { return len(w.log.lines("destination-dead")) > n })
			f.start()
			w.awaitEmpty(r)
			if len(w.boxes["bob@test"]) != 1 || len(w.sent) != 1 || len(w.boxes["ann@test"]) != 0 {
				t.Errorf("got %+v and %+v, want one message each and no notice", w.boxes, w.sent)
			}
		})
	}
}
