package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posthorn/internal/verdict"
)

// act is one thing that happens to a queue. What exactly, its own chance says, so
// that a history of which acts were left out still means something.
type act struct {
	deed   int
	chance uint64
}

// deeds are what can happen, each as often as its weight says.
var deeds = [...]struct {
	name   string
	weight int
	do     func(*stage, *rand.Rand)
}{
	{"submit", 30, (*stage).submit},
	{"wait", 25, (*stage).wait},
	{"say", 20, (*stage).change},
	{"directory", 5, (*stage).changeDirectory},
	{"daemon", 6, (*stage).changeDaemon},
	{"admin", 14, (*stage).administer},
	{"crash", 14, (*stage).armCrash},
	{"fault", 6, (*stage).armFault},
	{"restart", 3, (*stage).restart},
	{"reload", 2, (*stage).reload},
}

// history draws so many acts.
func history(seed uint64, length int) []act {
	r := rand.New(rand.NewPCG(seed, 1))
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	acts := make([]act, length)
	for i := range acts {
		n := r.IntN(total)
		for d := range deeds {
			if n -= deeds[d].weight; n < 0 {
				acts[i] = act{d, r.Uint64()}
				break
			}
		}
	}
	return acts
}

// TestModel plays random histories on a queue whose clock, disk and neighbours are
// the test's, and holds what it shows and does to a model of it. The histories are
// always the same ones, but with POSTHORN_PROVE, when new ones are played for
// minutes. In those of odd seeds messages go to their boxes at once.
// POSTHORN_MODEL_SEED plays one of them.
func TestModel(t *testing.T) {
	t.Parallel()
	if text := os.Getenv("POSTHORN_MODEL_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		playSeed(t, seed)
		return
	}
	n, first := 0, uint64(1)
	more := func() bool { return n < modelSample }
	if os.Getenv("POSTHORN_PROVE") != "" {
		end := time.Now().Add(modelProof)
		first = uint64(end.UnixNano())
		more = func() bool { return time.Now().Before(end) }
	}
	var sum tally
	for ; more() && !t.Failed(); n++ {
		sum.add(playSeed(t, first+uint64(n)))
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
	acts := history(seed, modelActs)
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
			s.note("%s:", deeds[a.deed].name)
			deeds[a.deed].do(s, rand.New(rand.NewPCG(a.chance, 2)))
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
	d := pick(r, time.Second, 20*time.Second, 5*time.Minute, 11*time.Minute, time.Hour, 5*time.Hour, 30*time.Hour)
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
	place := pick(r, "box b0@test", "box b1@test", "box b2@test", "box ann@test", "box root@test", "address r0@one.example",
		"address r1@one.example", "address r1@dsn.example", "address zed@far.example", "host one.example", "host dsn.example")
	says := pick(r, "", "later", "never", "mixed", "mixed", "lost", "cut", "slow", "slow")
	s.note("  %s says %q", place, says)
	s.model(func() { s.says[place] = says })
}

func (s *stage) changeDirectory(r *rand.Rand) {
	s.model(func() { s.directory = pick(r, "", "", "silent", "later", "slow") })
	s.note("  %q", s.directory)
}

func (s *stage) changeDaemon(r *rand.Rand) {
	name := pick(r, "deliver", "remote")
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
	l := s.order[len(s.order)-1-r.IntN(min(len(s.order), pick(r, 2, 10, 1000)))]
	what := pick(r, "hold", "hold", "release", "release", "flush", "flush", "remove")
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

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// What places say.
var (
	saidDone  = verdict.New(verdict.Done, "2.0.0", "250 ok")
	saidLater = verdict.New(verdict.Later, "4.2.0", "busy")
	saidNever = verdict.New(verdict.Never, "5.1.1", "550 no")
)
