package schedule

import (
	"math"

	"posthorn/internal/id"
	"posthorn/internal/spool"
)

// What was found in the spool: first by name, then as a whole.

// Found adds a message of which only the name was read. It is known, and not
// tried before Find tells the rest.
func (s *Schedule) Found(ref spool.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := &Item{ref: ref, pos: -1, state: unread}
	if arrived, err := id.Time(ref.ID()); err == nil {
		it.arrived = arrived.UnixMicro()
	}
	s.items.set(it)
}

// Unread returns at most limit messages behind the id after that Found added and
// Find has not been told of.
func (s *Schedule) Unread(after string, limit int) []spool.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refs []spool.Ref
	for it := range s.items.behind(id.KeyOf(after)) {
		if it.state == unread {
			if refs = append(refs, it.ref); len(refs) == limit {
				break
			}
		}
	}
	return refs
}

// Find adds a message that was found in the spool and is to be tried at its
// next time. A message that is known already, and not just by Adopt or Found, is
// left as it is.
func (s *Schedule) Find(e spool.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.found(e)
	if it == nil {
		return
	}
	it.state = resting
	next := int64(0)
	if !e.Next.IsZero() {
		next = e.Next.UnixMicro()
	}
	s.rest(it, next)
}

// Detain is Find for a message that waits for Start.
func (s *Schedule) Detain(e spool.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.found(e); it != nil {
		it.state = arriving
	}
}

// found returns an item that knows of itself what e says, or nil when the message
// is known already.
func (s *Schedule) found(e spool.Entry) *Item {
	it := s.items.get(e.Ref.Key())
	switch {
	case it == nil, it.state == arriving && !it.ref.Placed():
		it = &Item{ref: e.Ref, pos: -1}
		s.items.set(it)
	case it.state != unread:
		return nil
	}
	it.arrived, it.try, it.held, it.found = e.Time.UnixMicro(), counted(e.Try), e.Held, true
	return it
}

// counted is a number of tries as an item has room for it.
func counted(try int) int16 { return int16(min(try, math.MaxInt16)) }
