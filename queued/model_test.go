package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posthorn/internal/verdict"
	"posthorn/test/history"
)

type act = history.Act[*stage]

// deeds are what can happen, each as often as its weight says.
var deeds = []history.Deed[*stage]{
	{Name: "submit", Weight: 30, Do: (*stage).submit},
	{Name: "wait", Weight: 25, Do: (*stage).wait},
	{Name: "say", Weight: 20, Do: (*stage).change},
	{Name: "directory", Weight: 5, Do: (*stage).changeDirectory},
	{Name: "daemon", Weight: 6, Do: (*stage).changeDaemon},
	{Name: "admin", Weight: 14, Do: (*stage).administer},
	{Name: "crash", Weight: 14, Do: (*stage).armCrash},
	{Name: "fault", Weight: 6, Do: (*stage).armFault},
	{Name: "restart", Weight: 3, Do: (*stage).restart},
	{Name: "reload", Weight: 2, Do: (*stage).reload},
}

// TestModel plays random histories on a queue whose clock, disk and neighbours are
// the test's, and holds what it shows and does to a model of it. The histories are
// always the same ones, but with POSTHORN_PROVE, when new ones are played for
// minutes. In those of odd seeds messages go to their boxes at once.
// POSTHORN_MODEL_SEED plays one of them.
func TestModel(t *testing.T) {
	t.Parallel()
	next := history.Seeds(t, "POSTHORN_MODEL_SEED", modelSample, modelProof)
	n := 0
	var sum tally
	for seed, more := next(); more; seed, more = next() {
		sum.add(playSeed(t, seed))
		n++
	}
	t.Logf("%d histories of %d acts: %v", n, modelActs, sum)
}

const (
	modelSample = 16              // histories in an ordinary run
	modelProof  = 5 * time.Minute // of histories otherwise
	modelActs   = 80              // of each
)

// tally counts what was played.
type tally struct{ messages, unqueued, refused, notices, deliveries, crashes, faults int }

func (t *tally) add(o tally) {
	t.messages += o.messages
	t.unqueued += o.unqueued
	t.refused += o.refused
	t.notices += o.notices
	t.deliveries += o.deliveries
	t.crashes += o.crashes
	t.faults += o.faults
}

func (t tally) String() string {
	return fmt.Sprintf("%d messages, of which %d were never queued and %d refused by all boxes, %d notices, %d deliveries, %d kills, %d failed steps",
		t.messages, t.unqueued, t.refused, t.notices, t.deliveries, t.crashes, t.faults)
}

// playSeed plays one history, and when it ends badly looks for the shortest
// beginning of it that does.
func playSeed(t *testing.T, seed uint64) tally {
	t.Helper()
	acts := history.Draw(deeds, seed, modelActs)
	s := play(t, seed, acts)
	if len(s.wrong) == 0 {
		return s.tally
	}
	t.Errorf("seed %d: %s", seed, strings.Join(s.wrong, "\n"))
	for n := range acts {
		if short := play(t, seed, acts[:n]); len(short.wrong) > 0 {
			s, acts = short, acts[:n]
			break
		}
	}
	t.Errorf("seed %d, the first %d acts: %s\n%s\nlog:\n%s", seed, len(acts), strings.Join(s.wrong, "\n"), strings.Join(s.diary, "\n"), s.log)
	return s.tally
}

// play plays acts and then lets everything end well.
func play(t *testing.T, seed uint64, acts []act) *stage {
	t.Helper()
	var s *stage
	synctest.Test(t, func(t *testing.T) {
		s = newStage(t, seed)
		s.start()
		for _, a := range acts {
			s.note("%s:", a.Name)
			a.Do(s)
			s.settle()
			if len(s.wrong) > 0 {
				break
			}
		}
		if len(s.wrong) == 0 {
			s.drain(rand.New(rand.NewPCG(seed, 3)))
		}
		s.stop()
	})
	return s
}

// The deeds.

func (s *stage) wait(r *rand.Rand) {
	d := history.Pick(r, time.Second, 20*time.Second, 5*time.Minute, 11*time.Minute, time.Hour, 5*time.Hour, 30*time.Hour)
	s.note("  %v", d)
	if d > 10*time.Hour { // what nobody ever saw cannot be accounted for
		s.model(func() { s.directory, s.down = "", map[string]bool{} })
	}
	select {
	case <-time.After(d):
	case <-s.disk.died:
	}
}

// change changes what a box, a host or a recipient of another host says.
func (s *stage) change(r *rand.Rand) {
	place := history.Pick(r, "box b0@test", "box b1@test", "box b2@test", "box ann@test", "box root@test", "address r0@one.example",
		"address r1@one.example", "address r1@dsn.example", "address zed@far.example", "host one.example", "host dsn.example")
	says := history.Pick(r, "", "later", "never", "mixed", "mixed", "lost", "cut", "slow", "slow")
	s.note("  %s says %q", place, says)
	s.model(func() { s.says[place] = says })
}

func (s *stage) changeDirectory(r *rand.Rand) {
	s.model(func() { s.directory = history.Pick(r, "", "", "silent", "later", "slow") })
	s.note("  %q", s.directory)
}

func (s *stage) changeDaemon(r *rand.Rand) {
	name := history.Pick(r, "deliver", "remote")
	s.model(func() { s.down[name] = !s.down[name] })
	s.note("  %s is down: %v", name, s.down[name])
}

// administer does what an administrator may, to a message that he knows.
func (s *stage) administer(r *rand.Rand) {
	if len(s.order) == 0 || r.IntN(4) == 0 {
		s.note("  flush")
		s.queue.schedule.FlushAll()
		return
	}
	l := s.order[len(s.order)-1-r.IntN(min(len(s.order), history.Pick(r, 2, 10, 1000)))]
	what := history.Pick(r, "hold", "hold", "release", "release", "flush", "flush", "remove")
	ok := false
	switch what {
	case "hold":
		ok = s.queue.hold(l.id)
	case "release":
		ok = s.release(l)
	case "flush":
		ok = s.queue.schedule.Flush(l.id)
	case "remove":
		ok = s.queue.discard(l.id)
	}
	s.note("  %s %v: %v", what, l, ok)
	if ok {
		s.model(func() { l.ordered(what) })
	}
}

// release releases a letter, which may be tried before the queue has said so.
func (s *stage) release(l *letter) bool {
	s.model(func() { l.held = false })
	return s.queue.release(l.id)
}

func (s *stage) armCrash(r *rand.Rand) {
	after, again := 1+r.IntN(25), r.IntN(3)*r.IntN(15)
	s.note("  at step %d, and then at %d", after, again)
	s.disk.crashIn(after)
	s.again = again
}

func (s *stage) armFault(r *rand.Rand) {
	in, times, full := 1+r.IntN(15), 1+r.IntN(3), r.IntN(2) == 0
	s.note("  in %d steps %d fail, full: %v", in, times, full)
	s.disk.failIn(in, times, full)
}

func (s *stage) restart(*rand.Rand) {
	s.stop()
	s.model(s.cut) // what ran may have been called off
	s.start()
}

func (s *stage) reload(*rand.Rand) {
	if err := s.queue.Reload(s.conf); err != nil {
		s.fail("reload: %v", err)
	}
}

// drain lets everything come to its end: some histories first grow so old that
// nothing may be left, and then everybody is well again.
func (s *stage) drain(r *rand.Rand) {
	s.disk.heal()
	s.again = 0
	s.model(func() { s.directory, s.down = "", map[string]bool{} })
	if r.IntN(2) == 0 {
		s.note("drain: grow old")
		s.model(func() { delete(s.says, "host far.example") })
		time.Sleep(6 * 24 * time.Hour)
		s.settle()
	}
	s.note("drain")
	s.model(func() { clear(s.says) })
	s.empty()
	if len(s.files("queue/*/*")) > 0 { // W1: only a start finds a copy that was to be taken back
		s.restart(r)
		s.empty()
	}
	s.checkEnd()
}

// empty waits until the queue is.
func (s *stage) empty() {
	for range 20 {
		for _, l := range s.order {
			if s.release(l) {
				s.model(func() { l.ordered("release") })
			}
		}
		s.queue.schedule.FlushAll()
		time.Sleep(12 * time.Hour)
		s.settle()
		if s.queue.schedule.Len() == 0 && len(s.files("incoming/*")) == 0 {
			return
		}
	}
}

// What places say.
var (
	saidDone  = verdict.New(verdict.Done, "2.0.0", "250 ok")
	saidLater = verdict.New(verdict.Later, "4.2.0", "busy")
	saidNever = verdict.New(verdict.Never, "5.1.1", "550 no")
)
