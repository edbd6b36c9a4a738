package seek

import (
	"errors"
	"fmt"
	"iter"
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
	batchSize = 16
	indexSize = 128
)

// Batch is messages that are looked at by one goroutine, and what came of it.
type Batch struct {
	Hits []Hit // valid until the next batch
	Gone bool  // some of the messages are
	N    int   // how many messages there are

	seq, step int
	limit     int // so many hits are enough; 0: all
	err       error
	bug       any // what a goroutine of the crew panicked with
	done      chan struct{}
}

// run is look in a goroutine of the crew. A bug is kept for the session's own.
func (b *Batch) run(s *Seeker, stop *atomic.Bool) {
	defer close(b.done)
	defer func() {
		if p := recover(); p != nil {
			b.bug = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	b.look(s, stop)
}

// look looks at the messages of the batch.
func (b *Batch) look(s *Seeker, stop *atomic.Bool) {
	last := b.seq + (b.N-1)*b.step
	first := min(b.seq, last)
	s.messages = s.view.AppendAt(s.messages[:0], first, max(b.seq, last))
	for i := 0; i < b.N && !stop.Load(); i++ {
		seq := b.seq + i*b.step
		h, found, err := s.matches(seq, &s.messages[seq-first])
		switch {
		case errors.Is(err, mailbox.ErrExpunged):
			b.Gone = true
		case err != nil:
			b.err = err
			return
		case found:
			if b.Hits = append(b.Hits, h); len(b.Hits) == b.limit {
				return
			}
		}
	}
}

// Batches looks at all messages from seq on, going step by step, and yields them in that
// order, batch by batch. limit hits in a batch are enough; 0 means all. An error ends it;
// what was found before that is in its Batch. A bug met by a goroutine of hands is a
// panic here.
func (s *Seeker) Batches(hands Hands, seq, step, limit int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		crew := newCrew(s, hands)
		defer crew.end()
		left := s.view.Len() - seq + 1
		if step < 0 {
			left = seq
		}
		for {
			for ; left > 0 && !crew.busy(); left -= crew.size {
				crew.give(Batch{seq: seq, step: step, N: min(crew.size, left), limit: limit})
				seq += crew.size * step
			}
			b := crew.take()
			if b == nil || !yield(b, b.err) || b.err != nil {
				return
			}
		}
	}
}

// crew looks at batches in the order in which they are given. A search that reads
// messages has a goroutine for each processor that no other search has; what the
// index has is faster looked up by the caller's.
type crew struct {
	own     *Seeker
	size    int         // of a batch
	work    chan *Batch // nil: there are no others
	waiting []*Batch    // given and not taken yet
	taken   *Batch      // the last one, without work: there is one after the other
	stop    atomic.Bool
	over    sync.WaitGroup
}

func newCrew(s *Seeker, hands Hands) *crew {
	c := &crew{own: s, size: indexSize}
	if !s.Key.Asks(query.BodyText) && !s.Key.Asks(query.AnyText) {
		return c
	}
	c.size = batchSize
	size := hands.take(s.view.Len() / batchSize)
	if size == 0 {
		return c
	}
	c.work = make(chan *Batch, 2*size)
	for range size {
		other := New(s.view, s.pool, s.Key)
		c.over.Go(func() {
			defer hands.give()
			for b := range c.work {
				b.run(other, &c.stop)
			}
		})
	}
	return c
}

// Hands are the goroutines that all searches of a process have beside those of their
// sessions, so that their memory is bounded however many search.
type Hands chan struct{}

// NewHands returns as many as there are processors for.
func NewHands(all int) Hands { return make(Hands, all) }

// take takes up to n that are free.
func (h Hands) take(n int) int {
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
func (h Hands) give() { <-h }

// busy reports whether there is work for all for now.
func (c *crew) busy() bool { return len(c.waiting) >= max(1, cap(c.work)) }

// give has somebody look at the messages of a batch.
func (c *crew) give(b Batch) {
	if c.work == nil {
		if c.taken != nil {
			b.Hits = c.taken.Hits[:0]
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
func (c *crew) take() *Batch {
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
