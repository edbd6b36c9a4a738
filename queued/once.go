package main

import (
	"time"

	"posthorn/internal/directory"
	"posthorn/internal/dsn"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
	"posthorn/queued/internal/schedule"
)

// At once: a message for a few boxes goes to them while its maker waits, and
// the answer is theirs. The spool holds it only when they do not have it, or
// when that takes long.

const (
	// onceBoxes is to how many boxes of one owner a message goes at once.
	onceBoxes = 20
	// onceFlights bounds the messages that go at once at a time.
	onceFlights = 64
	// onceSlot is how long a message waits to be one of them.
	onceSlot = time.Second
	// onceWithin is how long the boxes may take before the message is kept.
	onceWithin = 2 * time.Second
)

// tryAtOnce hands a message that nobody has tried to its boxes, and returns the
// pass with what they said within the time. nil means that it was not tried.
func (q *queue) tryAtOnce(it *schedule.Item, m *spool.Message) *pass {
	p := q.newPass(it, m, true)
	p.try = 1
	if !p.mayGoAtOnce() || !q.enterFlight() {
		return nil
	}
	defer func() { <-q.flights }()
	p.done = make(chan outcome, 1)
	for _, j := range p.localJobs(p.open()) { // one, for they are few
		p.start(j)
	}
	if p.running == 0 {
		return nil // deliver is busy or away
	}
	late := time.NewTimer(q.onceWithin)
	defer late.Stop()
	select {
	case o := <-p.done:
		p.take(o)
	case <-late.C:
	}
	return p
}

// enterFlight waits a moment for one of the places.
func (q *queue) enterFlight() bool {
	select {
	case q.flights <- struct{}{}:
		return true
	default:
	}
	late := time.NewTimer(onceSlot)
	defer late.Stop()
	select {
	case q.flights <- struct{}{}:
		return true
	case <-late.C:
		return false
	}
}

// mayGoAtOnce reports whether the message leads to a few boxes of one owner and
// nowhere else, and whether its sender wants no more than they can answer.
func (p *pass) mayGoAtOnce() bool {
	most := onceBoxes
	if p.set.SystemUsers {
		most = 1 // each is another's
	}
	if !p.set.AtOnce || !p.m.Expanded || p.m.Origin == "bounce" || len(p.m.Targets) > most {
		return false
	}
	for n := range p.m.Targets {
		if p.m.Targets[n].Kind != string(directory.KindBox) || p.wants(n, dsn.Success) {
			return false
		}
	}
	return true
}

// settled reports whether every box has the message, or every one refused it:
// then there is nothing to keep.
func (p *pass) settled() bool {
	if p.running > 0 {
		return false
	}
	first := p.m.Targets[0].Verdict.Kind
	for n := range p.m.Targets {
		if p.m.Targets[n].Verdict.Kind != first {
			return false
		}
	}
	return first == verdict.Done || first == verdict.Never
}

// answer ends a pass that settled: nil for a message that is durable in its
// boxes, else what the first of them said. The file of the former says so,
// should the answer be lost and its maker keep it; one that was refused would
// then be returned to its sender.
func (p *pass) answer() error {
	defer p.m.Close()
	v := p.m.Targets[0].Verdict
	if v.Kind == verdict.Done {
		p.m.Depart()
	}
	p.finished()
	return v.Err()
}

// carryOn goes on with a pass whose message is durable in the queue now.
func (p *pass) carryOn() {
	defer p.recover()
	defer p.m.Close()
	for p.running > 0 {
		p.take(<-p.done)
	}
	p.end()
}

// presume records a try of what has not answered yet: it may have the message.
func (p *pass) presume() {
	if p.running > 0 {
		p.m.SetResult(p.pending(), p.try, spool.Result{Verdict: notAnswered, At: p.now()})
	}
}
