// Package schedule decides which message of the queue is tried when.
//
// It holds some 100 bytes a message and nothing of its content. A message
// rests until its next try, or waits for a gate: a destination, or a daemon of
// ours, that is full or does not answer. A gate that failed is left alone for a
// while that grows with each failure; then one message is let through to try
// it. So a dead destination costs one attempt at a time, whatever the number of
// messages for it, and holds up nobody else.
//
// The package keeps no clock: callers say what time it is.
package schedule

import (
	"container/heap"
	"sync"
	"time"

	"posthorn/internal/id"
	"posthorn/internal/spool"
)

type state uint8

const (
	arriving state = iota // not to be tried yet: no name in the queue, or its maker is not done
	unread                // found in the queue by its name, not to be tried yet either
	resting               // until next, or until a gate lets it through
	active                // somebody works on it
)

// Item is a message of the queue. Its fields belong to the schedule, but for
// what its methods give away.
type Item struct {
	ref     spool.Ref
	arrived int64 // microseconds, as next
	next    int64
	order   uint32 // among items of equal next
	pos     int32  // in the heap, -1 when not there
	try     int16  // the last one that ended
	state   state
	held    bool
	doomed  bool // to be removed when who works on it is done
	found   bool // not handed over: a try before may have been cut short

	reserved   bool  // it has a place at gate
	gate       *Gate // it waits for this one, or has its place there
	prev, succ *Item // in the gate's line
}

// Ref returns the message's place in the queue.
func (it *Item) Ref() spool.Ref { return it.ref }

// Found reports whether the message was found in the spool: what was not
// recorded of it may have happened.
func (it *Item) Found() bool { return it.found }

// Schedule is the queue in memory. It is safe for concurrent use; an item that
// Take, Start or Claim made active belongs to the caller until Rest, Wait or Drop.
type Schedule struct {
	mu     sync.Mutex
	items  roll
	due    itemHeap
	gates  map[string]*Gate
	timers gateHeap // when gates that failed are tried again
	order  uint32
	active int
	most   int
	wake   chan struct{}
}

// New returns an empty schedule that has at most so many items active.
func New(most int) *Schedule {
	return &Schedule{
		gates: map[string]*Gate{}, most: most,
		wake: make(chan struct{}, 1),
	}
}

// Wake is sent to when Take may have something new to say.
func (s *Schedule) Wake() <-chan struct{} { return s.wake }

func (s *Schedule) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Reserve notes that a message of this id is arriving; false says that it is
// known already.
func (s *Schedule) Reserve(msg string) (*Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items.get(id.KeyOf(msg)) != nil {
		return nil, false
	}
	return s.items.reserve(msg), true
}

// Adopt reserves an id for Find, or tells where its message is, as Known does.
func (s *Schedule) Adopt(msg string) (ref spool.Ref, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items.get(id.KeyOf(msg)); it != nil {
		return it.ref, true
	}
	return s.items.reserve(msg).ref, false
}

// Cancel forgets a message that did not arrive, or is none.
func (s *Schedule) Cancel(msg string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items.get(id.KeyOf(msg)); it != nil && (it.state == arriving || it.state == unread) {
		s.items.remove(id.KeyOf(msg))
	}
}

// Place says where a message that arrived is in the queue; found as Found
// reports it. It is not tried before Start.
func (s *Schedule) Place(it *Item, e spool.Entry, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.ref, it.arrived, it.try, it.held, it.found = e.Ref, e.Time.UnixMicro(), counted(e.Try), e.Held, found
}

// Start makes an item that was placed active at once; false says that as many
// as may be active are, and that it rests until now instead.
func (s *Schedule) Start(it *Item, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.state = resting
	if s.active >= s.most || it.held {
		s.rest(it, now.UnixMicro())
		return false
	}
	it.state = active
	s.active++
	return true
}

// Claim makes an item that was placed active, however many are: an attempt for
// it runs already.
func (s *Schedule) Claim(it *Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.state = active
	s.active++
}

// Known tells where the message of an id is in the queue; the Ref of one that
// is arriving is not placed.
func (s *Schedule) Known(msg string) (spool.Ref, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.items.get(id.KeyOf(msg))
	if it == nil {
		return spool.Ref{}, false
	}
	return it.ref, true
}

// Arriving returns the item of an id if it is placed and waits for Start.
func (s *Schedule) Arriving(msg string) (*Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.items.get(id.KeyOf(msg))
	if it == nil || it.state != arriving || !it.ref.Placed() {
		return nil, false
	}
	return it, true
}

// Take returns an item that is due and makes it active, or nil and how long
// nothing will be due, unless Wake says otherwise.
func (s *Schedule) Take(now time.Time) (*Item, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := now.UnixMicro()
	s.openGates(t)
	if s.active >= s.most {
		return nil, time.Hour // the end of one of them wakes
	}
	if len(s.due) > 0 && s.due[0].next <= t {
		it := heap.Pop(&s.due).(*Item)
		s.leaveLine(it)
		it.state = active
		s.active++
		return it, 0
	}
	return nil, s.quiet(t)
}

// quiet is how long neither an item nor a gate will be due.
func (s *Schedule) quiet(t int64) time.Duration {
	next := t + time.Hour.Microseconds()
	if len(s.due) > 0 {
		next = min(next, s.due[0].next)
	}
	if len(s.timers) > 0 {
		next = min(next, s.timers[0].at)
	}
	return time.Duration(max(next-t, 0)) * time.Microsecond
}

// Shift keeps the age of every item, and what is left of its rest, when the time
// of day was set by so much. What it was set past is due: the machine may have
// slept.
func (s *Schedule) Shift(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, back := by.Microseconds(), min(by, 0).Microseconds()
	for it := range s.items.all() {
		if it.arrived != 0 {
			it.arrived += all
		}
		it.next += back
	}
	for i := range s.timers {
		s.timers[i].at += back
	}
	for _, g := range s.gates {
		if g.until != 0 {
			g.until += back
		}
	}
	s.signal()
}

// Rest ends the work on an item until its next try.
func (s *Schedule) Rest(it *Item, try int, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(it, try)
	s.rest(it, next.UnixMicro())
}

// Postpone is Rest after work that could not be done, even where the item is to
// be removed: that would fail again at once.
func (s *Schedule) Postpone(it *Item, try int, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(it, try)
	s.put(it, next.UnixMicro())
}

// Drop ends the work on an item that has left the queue.
func (s *Schedule) Drop(it *Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(it, int(it.try))
	s.items.remove(it.ref.Key())
}

// end takes an item out of its owner's hands.
func (s *Schedule) end(it *Item, try int) {
	if it.state == active {
		s.active--
	}
	it.state = resting
	it.try = counted(try)
	s.giveBack(it)
	s.signal()
}

// rest puts an item where Take finds it, unless it is held. One that is to be
// removed is due at once.
func (s *Schedule) rest(it *Item, next int64) {
	if it.doomed {
		next = 0
	}
	s.put(it, next)
}

// put is rest at a time that stands.
func (s *Schedule) put(it *Item, next int64) {
	it.next = next
	if it.held && !it.doomed {
		s.unrest(it)
		return
	}
	if it.pos >= 0 {
		heap.Fix(&s.due, int(it.pos))
	} else {
		s.order++
		it.order = s.order
		heap.Push(&s.due, it)
	}
	s.signal()
}

// unrest takes an item out of the heap and out of a gate's line.
func (s *Schedule) unrest(it *Item) {
	if it.pos >= 0 {
		heap.Remove(&s.due, int(it.pos))
	}
	s.leaveLine(it)
}

// itemHeap orders items by next try, and those of one time by when they were
// added.
type itemHeap []*Item

func (h itemHeap) Len() int { return len(h) }
func (h itemHeap) Less(i, j int) bool {
	if h[i].next != h[j].next {
		return h[i].next < h[j].next
	}
	return int32(h[i].order-h[j].order) < 0 // the count may have begun again
}
func (h itemHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = int32(i), int32(j)
}
func (h *itemHeap) Push(x any) {
	it := x.(*Item)
	it.pos = int32(len(*h))
	*h = append(*h, it)
}
func (h *itemHeap) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	it.pos = -1
	return it
}
