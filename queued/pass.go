package main

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"posthorn/internal/spool"
	"posthorn/internal/verdict"
	"posthorn/queued/internal/schedule"
)

// abreast bounds the attempts for one message at a time.
const abreast = 20

// pass is the work on one message from the moment it is due until it rests
// again. One goroutine owns it and the message; attempts run beside it and
// report over done.
type pass struct {
	*queue
	set   *settings
	it    *schedule.Item
	m     *spool.Message
	try   int // of the targets that are tried in this pass
	ended int // the try before

	asked    bool // the directory has named the targets just now
	counting sync.Once
	counted  ways
	running  int
	done     chan outcome
	blocked  *schedule.Gate // that kept a target from being tried
	dead     bool           // it is known not to answer
}

// outcome is what one attempt has to say.
type outcome struct {
	results []result
	failed  *schedule.Gate // a gate that did not answer
}

// result is what an attempt says of one target.
type result struct {
	target int
	spool.Result
}

func (q *queue) newPass(it *schedule.Item, m *spool.Message, asked bool) *pass {
	return &pass{queue: q, set: q.settings.Load(), it: it, m: m, asked: asked}
}

// attempt makes a pass over a message that the schedule gave away; m is the
// message when it is open already.
func (q *queue) attempt(it *schedule.Item, m *spool.Message, asked bool) {
	p := q.newPass(it, m, asked)
	defer p.recover()
	if m == nil && !p.load() {
		return
	}
	defer p.m.Close()
	p.ended = max(p.m.Try, q.schedule.Try(it)) // what could not be written down counts too
	p.try = p.ended + 1
	if it.Found() {
		p.try = max(p.try, 2) // a try before may have been cut short
	}
	if p.begin() {
		p.attempts()
		p.end()
	}
}

// recover keeps a bug met by one message from ending the daemon, and the next
// one from being met at once.
func (p *pass) recover() {
	if r := recover(); r != nil {
		p.log.Crashed("pass", fmt.Sprint(r), string(debug.Stack()))
		try := max(p.try, p.schedule.Try(p.it)) // it may have been made
		p.schedule.Postpone(p.it, try, p.now().Add(time.Hour))
	}
}

// load opens the message. One that is none is set aside; one that cannot be
// read now is tried again.
func (p *pass) load() bool {
	m, err := p.spool.Load(p.it.Ref())
	if err == nil {
		p.m = m
		return true
	}
	switch {
	case errors.Is(err, spool.ErrFormat):
		if err = p.spool.Odd(p.it.Ref(), err); err == nil {
			p.schedule.Drop(p.it)
			return false
		}
	case errors.Is(err, fs.ErrNotExist): // somebody removed the file by hand
		p.spool.Forget(p.it.Ref())
		p.schedule.Drop(p.it)
		p.log.SpoolFailed(p.it.Ref().ID(), err)
		return false
	}
	p.log.SpoolFailed(p.it.Ref().ID(), err)
	p.schedule.Postpone(p.it, p.schedule.Try(p.it), p.now().Add(p.set.wait(1)))
	return false
}

// begin does what comes before the attempts. false says that the pass is over.
func (p *pass) begin() bool {
	held, doomed := p.schedule.Marks(p.it)
	switch {
	case doomed:
		p.discard()
		return false
	case p.m.Gone:
		p.remove()
		return false
	case held:
		p.rest(p.ended, p.schedule.Next(p.it))
		return false
	}
	if err := p.sendNotices(); err != nil {
		p.postpone(err)
		return false
	}
	if !p.m.Expanded && !p.expandNow() {
		return false
	}
	return true
}

// expandNow asks the directory where the message leads. When it cannot say,
// the message waits, and not for ever.
func (p *pass) expandNow() bool {
	gates, blocked := p.schedule.Enter(p.it, p.now(), p.authdDoor())
	if blocked == nil {
		err := p.expand(p.work, p.m)
		if err == nil {
			p.good(gates[0])
			p.asked = true
			return true
		}
		p.log.Unexpanded(p.m.ID, err)
		if p.leave(gates[0], err) {
			blocked = gates[0]
		}
	}
	if blocked != nil {
		p.block(blocked)
		p.restUntilDue(p.ended)
		return false
	}
	if p.age() >= p.lifetime() {
		p.refuseAll()
		return true
	}
	p.m.SetNext(p.try, p.due(p.try))
	if err := p.m.Flush(); err != nil {
		p.postpone(err)
		return false
	}
	p.restUntilDue(p.try)
	p.log.Deferred(p.m.ID, len(p.m.Rcpts), p.try, p.m.Next.Sub(p.now()))
	return false
}

// leave gives back the place at a gate of our own daemons after a failure, and
// reports whether it was that the daemon did not answer.
func (p *pass) leave(g *schedule.Gate, err error) (silent bool) {
	if answered(err) {
		p.good(g)
		return false
	}
	p.bad(g, verdict.Of(err))
	return true
}

// answered reports whether err is another daemon's answer.
func answered(err error) bool {
	var e *verdict.Error
	return errors.As(err, &e)
}

func (p *pass) good(g *schedule.Gate) {
	if back, waiting := p.schedule.LeaveGood(g); back {
		p.log.DestinationBack(g.Name(), waiting)
	}
}

func (p *pass) bad(g *schedule.Gate, why verdict.Verdict) {
	if n, pause := p.schedule.LeaveFailed(g, p.now(), why); pause > 0 {
		p.log.DestinationDead(g.Name(), n, pause)
	}
}

// refuseAll gives a message that could never be expanded its end.
func (p *pass) refuseAll() {
	targets := make([]spool.Target, len(p.m.Rcpts))
	for n, rcpt := range p.m.Rcpts {
		targets[n] = spool.Target{Kind: "none", Value: rcpt.String(), Rcpt: rcpt.String(), Orig: n}
	}
	if err := p.m.SetTargets(targets); err != nil {
		p.log.SpoolFailed(p.m.ID, err)
		return
	}
	for n := range targets {
		p.decide(n, verdict.New(verdict.Never, "5.4.7", "the message is too old; it could not be found out where it leads"))
	}
}

// end closes the round: what is too old is given up, the sender gets the
// notices due, and the message leaves or rests.
func (p *pass) end() {
	p.mirror()
	p.expire()
	if p.setAside() {
		return
	}
	p.oweNotices()
	open := p.open()
	if len(open) == 0 && p.allTold() {
		p.remove()
		return
	}
	try := p.ended
	if p.roundOver(open) {
		try = p.try
		p.m.SetNext(try, p.due(try))
	}
	if err := p.m.Flush(); err != nil {
		p.postpone(err)
		return
	}
	if err := p.sendNotices(); err != nil {
		p.postpone(err)
		return
	}
	if len(open) == 0 {
		p.remove()
		return
	}
	p.restUntilDue(try)
	if try == p.try {
		p.log.Deferred(p.m.ID, len(open), try, p.m.Next.Sub(p.now()))
	}
}

// mirror gives a target that another one stands for what came of that one.
func (p *pass) mirror() {
	for n := range p.m.Targets {
		t := &p.m.Targets[n]
		if t.Kind != "same" || t.Final() {
			continue
		}
		if i, err := strconv.Atoi(t.Value); err != nil || i < 0 || i >= n {
			p.decide(n, notKnown)
		} else if other := &p.m.Targets[i]; other.Final() || other.Try == p.try {
			r := other.Result
			r.Passed = r.Passed && p.named(i) == n
			p.m.SetResult([]int{n}, p.try, r)
		}
	}
}

// open lists the targets that have no final verdict.
func (p *pass) open() []int {
	var open []int
	for n := range p.m.Targets {
		if !p.m.Targets[n].Final() {
			open = append(open, n)
		}
	}
	return open
}

// roundOver reports whether this try counts as made: every open target was
// tried, or some were and the rest cannot be now. A pass that only found a dead
// gate made no try.
func (p *pass) roundOver(open []int) bool {
	tried := 0
	for n := range p.m.Targets {
		if p.m.Targets[n].Try == p.try {
			tried++
		}
	}
	left := slices.ContainsFunc(open, func(n int) bool { return p.m.Targets[n].Try != p.try })
	return tried > 0 && (!left || p.dead)
}

// expire gives up what is too old, with what the last try said. What waits for a
// place, or for a daemon of ours, has had no try that counts: we may have been
// off for days, or the clock is wrong.
func (p *pass) expire() {
	if p.age() < p.lifetime() || p.blocked != nil && (!p.dead || ours(p.blocked)) {
		return
	}
	for _, n := range p.open() {
		text := "the message is too old"
		if last := p.lastWord(n); last != notTried {
			text += "; last attempt: " + last.Text
		}
		p.decide(n, verdict.New(verdict.Never, "5.4.7", text)) // RFC 3463 3.5
	}
}

// lastWord is why a target is still open.
func (p *pass) lastWord(n int) verdict.Verdict {
	if v := p.m.Targets[n].Verdict; v.Kind != 0 {
		return v
	}
	if p.blocked != nil && !ours(p.blocked) {
		if why, _ := p.schedule.Dead(p.blocked, p.now()); why.Kind != 0 {
			return why
		}
	}
	return notTried
}

// decide records a verdict that nobody but queued has spoken.
func (p *pass) decide(n int, v verdict.Verdict) {
	t := &p.m.Targets[n]
	p.log.Outcome(p.m.ID, t.Kind, t.Value, v, p.try, p.age())
	p.m.SetResult([]int{n}, p.try, spool.Result{Verdict: v, At: t.At})
}
