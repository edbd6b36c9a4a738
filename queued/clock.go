package main

import (
	"slices"
	"sync"
	"time"

	"posthorn/internal/spool"
)

// leastStep is by how much the time of day has to jump to count as set: less
// does no harm, and a clock that is only drawn to the right time moves less.
const leastStep = time.Minute

// clock is the time of day, by which messages arrive and are due, beside the
// monotonic clock, which nobody sets.
type clock struct {
	wall func() time.Time // time.Now, but for tests

	mu    sync.Mutex
	began time.Time
	ahead time.Duration // lead at the last look
}

func newClock(wall func() time.Time) *clock {
	c := &clock{wall: wall, began: time.Now()}
	c.ahead = c.lead()
	return c
}

// lead is how far the time of day is ahead of the monotonic clock.
func (c *clock) lead() time.Duration {
	wall := c.wall().Round(0) // Round takes the monotonic reading off
	return wall.Sub(c.began.Round(0)) - time.Since(c.began)
}

// look calls set with how far the time of day was set since the last look. Who
// looks at the same time waits until set has returned.
func (c *clock) look(set func(by time.Duration)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ahead := c.lead()
	by := ahead - c.ahead
	c.ahead = ahead
	if by.Abs() >= leastStep {
		set(by)
	}
}

// now is the time of day. What it was before a step has been shifted then.
func (q *queue) now() time.Time {
	q.lookAtClock()
	return q.clock.wall()
}

// lookAtClock has the queue keep its times when the clock was set.
func (q *queue) lookAtClock() {
	q.clock.look(func(by time.Duration) {
		q.schedule.Shift(by)
		q.log.ClockSet(by)
	})
}

// rested is what was found in the spool, with times that this clock can have
// written: one that was set back meanwhile must not keep a message for years.
func (q *queue) rested(e spool.Entry) spool.Entry {
	now, set := q.now(), q.settings.Load()
	if e.Time.After(now) {
		e.Time = now
	}
	longest := slices.Max(set.Retry)
	longest += longest * time.Duration(set.RetryJitter) / 100
	if e.Next.After(now.Add(longest)) {
		e.Next = time.Time{}
	}
	return e
}

// arrived is when the message came, by the clock as it is set now.
func (p *pass) arrived() time.Time {
	if t := p.schedule.Arrived(p.it); !t.IsZero() {
		return t
	}
	return p.m.Time // it is not in the queue yet
}

// age is how long ago the message came.
func (p *pass) age() time.Duration {
	now := p.now() // first: it may shift the arrival
	return now.Sub(p.arrived())
}
