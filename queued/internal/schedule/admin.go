package schedule

import (
	"time"

	"posthorn/internal/id"
	"posthorn/internal/spool"
)

// Grab takes an item out of its rest for the administrator. grabbed says that
// it is active now and the caller's; otherwise somebody works on it and will
// see what Mark says.
func (s *Schedule) Grab(msg string) (it *Item, grabbed, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it = s.items.get(id.KeyOf(msg))
	if it == nil || !it.ref.Placed() {
		return nil, false, false
	}
	if it.state != resting {
		return it, false, true
	}
	s.unrest(it)
	s.giveBack(it)
	it.state = active
	s.active++
	return it, true, true
}

// Hold notes that an item waits for the administrator, or no longer.
func (s *Schedule) Hold(it *Item, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.held = held
}

// Doom notes that an item is to be removed by who works on it.
func (s *Schedule) Doom(it *Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.doomed = true
}

// Marks returns what the administrator wants of an item.
func (s *Schedule) Marks(it *Item) (held, doomed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return it.held, it.doomed
}

// Next returns when an item was or is to be tried next.
func (s *Schedule) Next(it *Item) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.UnixMicro(it.next)
}

// Arrived returns when an item came, by the clock as it is set now; zero when it
// is not placed.
func (s *Schedule) Arrived(it *Item) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it.arrived == 0 {
		return time.Time{}
	}
	return time.UnixMicro(it.arrived)
}

// Try returns the last try of an item that ended.
func (s *Schedule) Try(it *Item) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(it.try)
}

// Flush makes an item due, and the gate that it waits for willing.
func (s *Schedule) Flush(msg string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.items.get(id.KeyOf(msg))
	if it == nil {
		return false
	}
	if it.state == resting && !it.held {
		s.flush(it)
	}
	return true
}

// FlushAll makes every item due that is not held, and every gate willing. It
// returns how many items.
func (s *Schedule) FlushAll() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.gates {
		g.until, g.failures = 0, 0
	}
	n := 0
	for it := range s.items.all() {
		if it.state == resting && !it.held {
			s.flush(it)
			n++
		}
	}
	return n
}

func (s *Schedule) flush(it *Item) {
	if g := it.gate; g != nil {
		g.until, g.failures = 0, 0
	}
	s.leaveLine(it)
	s.rest(it, min(it.next, it.arrived)) // in the order of arrival
}

// Info is what the schedule knows of one item.
type Info struct {
	Ref     spool.Ref
	Arrived time.Time
	Next    time.Time // zero while somebody works on it, and before it is known
	Try     int
	State   string // held, active, waiting (for Gate), deferred
	Gate    string
}

// Len returns how many messages there are.
func (s *Schedule) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items.count
}

// List returns at most limit items behind the id after, by id and so by
// arrival, and whether there are more.
func (s *Schedule) List(after string, limit int) (page []Info, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for it := range s.items.behind(id.KeyOf(after)) {
		switch {
		case !it.ref.Placed():
		case len(page) == limit:
			return page, true
		default:
			page = append(page, it.info())
		}
	}
	return page, false
}

// Lookup returns what is known of the message of an id.
func (s *Schedule) Lookup(msg string) (Info, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.items.get(id.KeyOf(msg))
	if it == nil || !it.ref.Placed() {
		return Info{}, false
	}
	return it.info(), true
}

func (it *Item) info() Info {
	i := Info{Ref: it.ref, Arrived: time.UnixMicro(it.arrived), Try: int(it.try), State: "deferred"}
	switch {
	case it.held:
		i.State = "held"
	case it.state == unread:
		return i
	case it.state != resting:
		i.State = "active"
	case it.gate != nil:
		i.State, i.Gate = "waiting", it.gate.name
	}
	if it.state == resting && !it.held {
		i.Next = time.UnixMicro(it.next)
	}
	return i
}
