package main

import (
	"time"

	"posthorn/internal/verdict"
)

// The end of a pass: until when the message rests, or that it leaves.

// lifetime is how long the message is tried.
func (p *pass) lifetime() time.Duration {
	if p.m.From.IsNull() {
		return p.set.BounceExpire
	}
	return p.set.Expire
}

// due is when the next try is to be made: by the steps, and once more when the
// message gets too old.
func (p *pass) due(try int) time.Time {
	next := p.now().Add(p.set.wait(try))
	if end := p.arrived().Add(p.lifetime()); end.Before(next) && end.After(p.now()) {
		return end
	}
	return next
}

// nextTime is when the message is to be looked at again after try.
func (p *pass) nextTime(try int) time.Time {
	if try == p.try && !p.m.Next.IsZero() {
		return p.m.Next
	}
	return p.due(p.try)
}

// restUntilDue ends the pass until the next try, or until the gate that kept a
// target from being tried lets it through.
func (p *pass) restUntilDue(try int) {
	next := p.nextTime(try)
	p.keepMark()
	if p.blocked != nil {
		p.schedule.Wait(p.it, p.blocked, try, next)
		return
	}
	p.schedule.Rest(p.it, try, next)
}

func (p *pass) rest(try int, next time.Time) {
	p.keepMark()
	p.schedule.Rest(p.it, try, next)
}

// keepMark records what the administrator said meanwhile.
func (p *pass) keepMark() {
	held, _ := p.schedule.Marks(p.it)
	if held == p.m.Held {
		return
	}
	p.m.SetHeld(held)
	if err := p.m.Flush(); err != nil {
		p.log.SpoolFailed(p.m.ID, err) // it stays held as long as we live
	}
}

// postpone ends a pass that the disk cut short. What is not in the file is
// tried again, by a later try: boxes look whether they have it.
func (p *pass) postpone(err error) {
	p.log.SpoolFailed(p.m.ID, err)
	p.schedule.Postpone(p.it, p.try, p.now().Add(p.set.wait(1)))
}

// discard takes a message out of the queue because the administrator said so.
func (p *pass) discard() {
	if err := p.spool.Remove(p.m); err != nil {
		p.postpone(err)
		return
	}
	p.schedule.Drop(p.it)
	p.log.Discarded(p.m.ID)
}

// remove takes a message that has reached its end out of the queue.
func (p *pass) remove() {
	if err := p.spool.Remove(p.m); err != nil {
		p.postpone(err)
		return
	}
	p.schedule.Drop(p.it)
	p.finished()
}

// finished logs what became of a message.
func (p *pass) finished() {
	ok, failed := 0, 0
	for n := range p.m.Targets {
		if p.m.Targets[n].Verdict.Kind == verdict.Done {
			ok++
		} else {
			failed++
		}
	}
	p.log.Finished(p.m.ID, ok, failed, p.age())
}
