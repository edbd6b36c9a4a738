package schedule

import (
	"container/heap"
	"time"

	"posthorn/internal/verdict"
)

// forgetAfter is how long a gate that failed is remembered when nobody asks
// for it.
const forgetAfter = time.Hour

// Gate is what lets a number of attempts through at a time: a destination, or
// a daemon of ours. Its fields are guarded by the schedule.
type Gate struct {
	name     string
	limit    int
	trial    int
	backoff  func(failures int) time.Duration
	inUse    int
	reserved int // places kept for items that were told to come
	failures int // in a row
	until    int64
	why      verdict.Verdict // of the last failure

	first, last *Item // the line, in order of arrival
	length      int
}

// Door says which gate to take and how it is when it is new.
type Door struct {
	Name    string
	Limit   int                              // attempts at a time
	Trial   int                              // the same after a failure, until an answer comes; default 1
	Backoff func(failures int) time.Duration // how long it is left alone after so many in a row
}

// Name returns the gate's name.
func (g *Gate) Name() string { return g.name }

// Enter takes a place at every gate for one attempt of an active item, or at
// none: then blocked is the first gate without one. The caller leaves each gate
// that it entered once.
func (s *Schedule) Enter(it *Item, now time.Time, doors ...Door) (entered []*Gate, blocked *Gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := now.UnixMicro()
	for _, d := range doors {
		g := s.gate(d)
		if !g.free(it, t) {
			return nil, g
		}
		entered = append(entered, g)
	}
	for _, g := range entered {
		if it.reserved && it.gate == g {
			g.reserved--
			it.gate, it.reserved = nil, false
		}
		g.inUse++
	}
	return entered, nil
}

func (s *Schedule) gate(d Door) *Gate {
	g, ok := s.gates[d.Name]
	if !ok {
		g = &Gate{name: d.Name, limit: d.Limit, trial: max(d.Trial, 1), backoff: d.Backoff}
		s.gates[d.Name] = g
	}
	return g
}

// free reports whether g has a place for it. A gate that failed has its trial
// places when its time is over.
func (g *Gate) free(it *Item, t int64) bool {
	if g.until > t {
		return false
	}
	taken := g.inUse + g.reserved
	if it.reserved && it.gate == g {
		taken--
	}
	return taken < g.places()
}

func (g *Gate) places() int {
	if g.failures > 0 {
		return min(g.trial, g.limit)
	}
	return g.limit
}

// Dead reports whether g failed and is left alone now, and why.
func (s *Schedule) Dead(g *Gate, now time.Time) (verdict.Verdict, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return g.why, g.until > now.UnixMicro()
}

// Leave gives a place back after an attempt that says nothing of the gate.
func (s *Schedule) Leave(g *Gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.inUse--
	s.admit(g)
}

// LeaveGood gives a place back after an attempt that got an answer. It reports
// whether the gate had failed before, and how many wait for it.
func (s *Schedule) LeaveGood(g *Gate) (back bool, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	back, waiting = g.failures > 0, g.length
	g.inUse--
	g.failures, g.until = 0, 0
	s.admit(g)
	return back, waiting
}

// LeaveFailed gives a place back after an attempt that got no answer. It
// returns how often that happened in a row and for how long the gate is left
// alone now; 0 when it was already.
func (s *Schedule) LeaveFailed(g *Gate, now time.Time, why verdict.Verdict) (failures int, pause time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.inUse--
	g.why = why
	t := now.UnixMicro()
	if g.until > t {
		return g.failures, 0 // others that ran beside it
	}
	g.failures++
	pause = g.backoff(g.failures)
	g.until = t + pause.Microseconds()
	heap.Push(&s.timers, gateTimer{at: g.until, gate: g})
	s.signal()
	return g.failures, pause
}

// Wait ends the work on an item until g has a place for it, or until its next
// time at the latest.
func (s *Schedule) Wait(it *Item, g *Gate, try int, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(it, try)
	s.rest(it, next.UnixMicro())
	if it.held {
		return
	}
	s.admit(s.join(it, g))
}

// openGates lets one item through each gate whose time is over, and forgets
// gates that nobody asked for since.
func (s *Schedule) openGates(t int64) {
	for len(s.timers) > 0 && s.timers[0].at <= t {
		timer := heap.Pop(&s.timers).(gateTimer)
		g := timer.gate
		switch {
		case s.gates[g.name] != g || g.until > t || g.failures == 0:
			// Forgotten, failed again, or answered since this was set.
		case timer.forget && g.idle():
			delete(s.gates, g.name)
		case !timer.forget:
			g.until = 0
			heap.Push(&s.timers, gateTimer{at: t + forgetAfter.Microseconds(), gate: g, forget: true})
			s.admit(g)
		}
	}
}

func (g *Gate) idle() bool { return g.first == nil && g.inUse == 0 && g.reserved == 0 }

// admit tells the first in line to come, as far as there are places.
func (s *Schedule) admit(g *Gate) {
	for g.first != nil && g.until == 0 && g.inUse+g.reserved < g.places() {
		it := g.first
		s.leaveLine(it)
		it.gate, it.reserved = g, true
		g.reserved++
		s.rest(it, 0)
	}
	if g.idle() && g.failures == 0 {
		delete(s.gates, g.name) // made again when needed
	}
}

// giveBack returns a reserved place that was not used.
func (s *Schedule) giveBack(it *Item) {
	g := it.gate
	if g == nil || !it.reserved {
		return
	}
	it.gate, it.reserved = nil, false
	g.reserved--
	s.admit(g)
}

// join puts an item at the end of g's line, or of the gate that has its name
// since g was forgotten.
func (s *Schedule) join(it *Item, g *Gate) *Gate {
	if _, ok := s.gates[g.name]; !ok {
		s.gates[g.name] = g
	}
	g = s.gates[g.name]
	it.gate, it.prev, it.succ = g, g.last, nil
	if g.last != nil {
		g.last.succ = it
	} else {
		g.first = it
	}
	g.last = it
	g.length++
	return g
}

// leaveLine takes an item out of the line it is in.
func (s *Schedule) leaveLine(it *Item) {
	g := it.gate
	if g == nil || it.reserved {
		return
	}
	if it.prev != nil {
		it.prev.succ = it.succ
	} else {
		g.first = it.succ
	}
	if it.succ != nil {
		it.succ.prev = it.prev
	} else {
		g.last = it.prev
	}
	it.gate, it.prev, it.succ = nil, nil, nil
	g.length--
}

// gateTimer is when a gate is looked at again.
type gateTimer struct {
	at     int64
	gate   *Gate
	forget bool
}

type gateHeap []gateTimer

func (h gateHeap) Len() int           { return len(h) }
func (h gateHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h gateHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *gateHeap) Push(x any)        { *h = append(*h, x.(gateTimer)) }
func (h *gateHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = gateTimer{}
	*h = old[:len(old)-1]
	return t
}
