package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"posthorn/imapd/internal/query"
	"posthorn/internal/mailbox"
)

// batchSize is how many messages a goroutine looks at before it takes others, where
// it reads them, and where it asks the index. Their client may hear of progress behind
// each batch.
const (
	batchSize = stride
	indexSize = 8 * stride
)

// batch is messages that are looked at by one goroutine, and what came of it.
type batch struct {
	seq, step, n int
	limit        int // so many hits are enough; 0: all
	hits         []hit
	gone         bool // some of the messages are
	err          error
	bug          any // what a goroutine of the crew panicked with
	done         chan struct{}
}

// run is look in a goroutine of the crew. A bug is kept for the session's own.
func (b *batch) run(s *seeker, stop *atomic.Bool) {
	defer close(b.done)
	defer func() {
		if p := recover(); p != nil {
			b.bug = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	b.look(s, stop)
}

// look looks at the messages of the batch.
func (b *batch) look(s *seeker, stop *atomic.Bool) {
	last := b.seq + (b.n-1)*b.step
	first := min(b.seq, last)
	s.messages = s.view.AppendAt(s.messages[:0], first, max(b.seq, last))
	for i := 0; i < b.n && !stop.Load(); i++ {
		seq := b.seq + i*b.step
		h, found, err := s.matches(seq, &s.messages[seq-first])
		switch {
		case errors.Is(err, mailbox.ErrExpunged):
			b.gone = true
		case err != nil:
			b.err = err
			return
		case found:
			if b.hits = append(b.hits, h); len(b.hits) == b.limit {
				return
			}
		}
	}
}

// crew looks at batches in the order in which they are given. A search that reads
// messages has a goroutine for each processor that no other search has; what the
// index has is faster looked up by the caller's.
type crew struct {
	own     *seeker
	size    int         // of a batch
	work    chan *batch // nil: there are no others
	waiting []*batch    // given and not taken yet
	taken   *batch      // the last one, without work: there is one after the other
	stop    atomic.Bool
	over    sync.WaitGroup
}

func newCrew(f *finder) *crew {
	c := &crew{own: f.seeker, size: indexSize}
	if !f.key.Asks(query.BodyText) && !f.key.Asks(query.AnyText) {
		return c
	}
	c.size = batchSize
	size := f.hands.take(f.view.Len() / batchSize)
	if size == 0 {
		return c
	}
	c.work = make(chan *batch, 2*size)
	for range size {
		s := newSeeker(f.Session, f.key)
		c.over.Go(func() {
			defer f.hands.give()
			for b := range c.work {
				b.run(s, &c.stop)
			}
		})
	}
	return c
}

// hands are the goroutines that all searches of a process have beside those of their
// sessions, so that their memory is bounded however many search.
type hands chan struct{}

func newHands(all int) hands { return make(hands, all) }

// take takes up to n that are free.
func (h hands) take(n int) int {
	for taken := range n {
		select {
		case h <- struct{}{}:
		default:
			return taken
		}
	}
	return n
}

// give gives one back.
func (h hands) give() { <-h }

// busy reports whether there is work for all for now.
func (c *crew) busy() bool { return len(c.waiting) >= max(1, cap(c.work)) }

// give has somebody look at the messages of a batch.
func (c *crew) give(b batch) {
	if c.work == nil {
		if c.taken != nil {
			b.hits = c.taken.hits[:0]
		}
		c.waiting = append(c.waiting[:0], &b)
		return
	}
	b.done = make(chan struct{})
	c.waiting = append(c.waiting, &b)
	c.work <- &b
}

// take returns the batch that was given first and not taken yet, nil for none. What was
// found in it is there until the next is given.
func (c *crew) take() *batch {
	if len(c.waiting) == 0 {
		return nil
	}
	b := c.waiting[0]
	c.waiting = c.waiting[1:]
	if c.work == nil {
		b.look(c.own, &c.stop)
		c.taken = b
		return b
	}
	<-b.done
	if b.bug != nil {
		panic(b.bug) // in the session that it ends, and no other
	}
	return b
}

// end has all goroutines end and waits for that.
func (c *crew) end() {
	c.stop.Store(true)
	if c.work != nil {
		close(c.work)
	}
	c.over.Wait()
}
