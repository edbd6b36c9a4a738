package main

import (
	"errors"
	"slices"
	"strconv"

	"posthorn/internal/addr"
	"posthorn/internal/dsn"
	"posthorn/internal/id"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
	"posthorn/queued/internal/bounce"
)

// errLast is why a message lies in odd that had nowhere else to go.
var errLast = errors.New("neither its sender nor the postmaster could be told that it failed")

// oweNotices records what the sender is to be told: of targets that failed, at
// once; of a delay, once for a message.
func (p *pass) oweNotices() {
	if p.isLast() {
		return
	}
	if failed := p.untold(); len(failed) > 0 {
		p.m.Owe(spool.Notice{ID: id.New(), Kind: "failure", Targets: failed})
	}
	if arrived := p.unconfirmed(); len(arrived) > 0 {
		p.m.Owe(spool.Notice{ID: id.New(), Kind: "success", Targets: arrived})
	}
	if p.delayDue() {
		p.m.Owe(spool.Notice{ID: id.New(), Kind: "delay", Targets: p.delayed()})
	}
}

// untold lists the targets that failed without the notice that the sender wants.
func (p *pass) untold() []int {
	var list []int
	for n := range p.m.Targets {
		t := &p.m.Targets[n]
		if t.Verdict.Kind == verdict.Never && !t.Failed && p.wants(n, dsn.Failure) {
			list = append(list, n)
		}
	}
	return list
}

// unconfirmed lists the targets of whose success the sender wants to know and
// does not: those that have the message, unless a host took the report over with
// it; and at once those of a recipient that leads to several places, for the
// message has arrived at that recipient (RFC 3461 5.2.7).
func (p *pass) unconfirmed() []int {
	var list []int
	if p.m.From.IsNull() {
		return list
	}
	for n := range p.m.Targets {
		t := &p.m.Targets[n]
		if t.Confirmed || !p.wants(n, dsn.Success) {
			continue
		}
		if p.spread(n) || t.Verdict.Kind == verdict.Done && !t.Passed {
			list = append(list, n)
		}
	}
	return list
}

// delayed lists the targets of whose delay the sender wants to know.
func (p *pass) delayed() []int {
	return slices.DeleteFunc(p.open(), func(n int) bool { return !p.wants(n, dsn.Delay) })
}

// delayDue reports whether the sender is to be told of a delay now. A null
// sender is never told, nor anybody twice of one message.
func (p *pass) delayDue() bool {
	after := p.set.DelayWarning
	if after == 0 || p.m.From.IsNull() || p.age() < after || len(p.delayed()) == 0 {
		return false
	}
	return !slices.ContainsFunc(p.m.Notices, func(n spool.Notice) bool { return n.Kind == "delay" })
}

// allTold reports whether nothing is owed.
func (p *pass) allTold() bool {
	return (len(p.untold()) == 0 || p.isLast()) && len(p.unconfirmed()) == 0 && !slices.ContainsFunc(p.m.Notices, func(n spool.Notice) bool { return !n.Sent })
}

// isLast reports whether the message tells the postmaster of a failure: when
// it fails itself, nobody is left to be told.
func (p *pass) isLast() bool {
	return p.m.Origin == "bounce" && p.m.From.IsNull() && len(p.m.Rcpts) == 1 && p.m.Rcpts[0].Address == p.set.postmaster
}

// setAside sets a message aside that failed where nobody can be told, and
// reports whether it did.
func (p *pass) setAside() bool {
	if !p.isLast() || len(p.open()) > 0 || len(p.untold()) == 0 {
		return false
	}
	if err := p.m.Flush(); err != nil { // its file then says what happened
		p.postpone(err)
		return true
	}
	if err := p.spool.Odd(p.it.Ref(), errLast); err != nil {
		p.postpone(err)
		return true
	}
	p.schedule.Drop(p.it)
	p.log.Finished(p.m.ID, 0, len(p.m.Targets), p.age())
	return true
}

// sendNotices makes a message of each notice that is owed, and records it.
func (p *pass) sendNotices() error {
	for _, n := range slices.Clone(p.m.Notices) {
		if err := p.sendNotice(n); err != nil {
			return err
		}
	}
	return nil
}

// sendNotice makes a notice durable, records that it is, and only then lets it
// go: whenever that is cut short, the notice is found again by its id and is
// not made twice. One that is recorded and waits is one whose record could not be
// synced.
func (p *pass) sendNotice(n spool.Notice) error {
	it, placed := p.schedule.Arriving(n.ID)
	if n.Sent && !placed {
		return nil
	}
	var own *spool.Message
	if !placed {
		var ok bool
		if it, ok = p.schedule.Reserve(n.ID); !ok {
			return p.recordSent(n) // found in the queue at the start
		}
		defer p.unreserve(it, n.ID)
		err := p.m.Settle() // or a power cut takes the line and leaves the notice, and another is made
		if err == nil {
			own, err = p.compose(n)
		}
		if err != nil {
			return err
		}
		if err := p.enqueue(it, own, false); err != nil {
			own.Close()
			return err
		}
	}
	if err := p.recordSent(n); err != nil {
		if own != nil {
			own.Close()
		}
		return err
	}
	if own == nil {
		var err error
		if own, err = p.spool.Load(it.Ref()); err != nil {
			return err
		}
	}
	p.log.Notified(p.m.ID, n.ID, n.Kind, own.Rcpts[0].String(), len(n.Targets))
	p.launch(it, own, own.Expanded)
	return nil
}

func (p *pass) recordSent(n spool.Notice) error {
	p.m.Sent(n.ID)
	return p.m.Flush()
}

// compose writes the notice as a message, not yet in the queue.
func (p *pass) compose(n spool.Notice) (*spool.Message, error) {
	r := p.report(n)
	if err := r.Prepare(p.m.Content()); err != nil {
		return nil, err
	}
	env := spool.Envelope{
		ID: n.ID, Time: r.Date, Origin: "bounce", Body: "7bit", UTF8: r.UTF8, Rcpts: []spool.Rcpt{{Address: r.To}},
	}
	if r.EightBit() {
		env.Body = "8bitmime"
	}
	m, err := p.spool.Compose(env, r.Write)
	if err != nil {
		return nil, err
	}
	p.expandSoon(p.work, m)
	return m, nil
}

// report is what a notice says. Failures of a message without a sender are for
// the postmaster.
func (p *pass) report(n spool.Notice) *bounce.Report {
	r := &bounce.Report{
		Kind: bounce.Failure, ID: n.ID, Hostname: p.set.Hostname, To: p.m.From, Date: p.now(),
		About: p.m.ID, Envid: p.m.Envid, Sender: p.m.From, Arrived: p.m.Time, Until: p.arrived().Add(p.lifetime()),
		MessageUTF8: p.m.UTF8,
	}
	switch {
	case n.Kind == "delay":
		r.Kind = bounce.Delay
	case n.Kind == "success":
		r.Kind = bounce.Success
	case p.m.From.IsNull():
		r.Kind, r.To = bounce.Double, p.set.postmaster
	case p.m.Ret == dsn.Full && p.m.Size <= p.set.BounceSize: // RFC 3461 4.3
		r.Full = true
	}
	r.UTF8 = r.To.UTF8() // who has an ASCII address may have a host that takes nothing else
	expanded := map[int]bool{}
	for _, i := range n.Targets {
		orig := p.m.Targets[i].Orig
		if n.Kind == "success" && p.spread(i) {
			if !expanded[orig] {
				expanded[orig] = true
				r.Rcpts = append(r.Rcpts, p.expandedRcpt(orig))
			}
			continue
		}
		r.Rcpts = append(r.Rcpts, p.rcpt(i, n.Kind))
	}
	return r
}

// expandedRcpt tells of a recipient that leads to several places, and of none of
// them.
func (p *pass) expandedRcpt(orig int) bounce.Rcpt {
	a := p.m.Rcpts[orig]
	return bounce.Rcpt{Original: a.Address, Orcpt: a.Orcpt, Actual: a.String(), Action: bounce.Expanded, Verdict: verdict.Of(nil)}
}

// rcpt tells of one target.
func (p *pass) rcpt(n int, kind string) bounce.Rcpt {
	t := &p.m.Targets[n]
	about := t
	if i, err := strconv.Atoi(t.Value); t.Kind == "same" && err == nil && i >= 0 && i < n {
		about = &p.m.Targets[i]
	}
	r := bounce.Rcpt{
		Original: p.m.Rcpts[t.Orig].Address, Orcpt: p.m.Rcpts[t.Orig].Orcpt, Actual: actualAddress(about),
		Verdict: t.Verdict, Via: remoteHost(about), At: t.At,
	}
	switch {
	case kind == "failure":
		r.Action = bounce.Failed
	case kind == "delay":
		r.Action, r.Verdict = bounce.Delayed, p.lastWord(n)
	case about.Kind == "address" && !p.intoBox(about):
		r.Action = bounce.Relayed // RFC 3461 5.2.2
	default:
		r.Action = bounce.Delivered
	}
	return r
}

// intoBox reports whether a target's host takes mail into its boxes before it
// says done.
func (p *pass) intoBox(t *spool.Target) bool {
	rcpt, err := addr.Parse(t.Value)
	return err == nil && p.set.router.Choose(p.m.From, rcpt).LMTP
}

// actualAddress is the address of a target, as far as others may know it.
func actualAddress(t *spool.Target) string {
	if t.Kind == "address" {
		return t.Value
	}
	return t.Rcpt
}

// remoteHost is the host that spoke a verdict; the file in a box is nobody's
// business.
func remoteHost(t *spool.Target) string {
	if t.Kind != "address" {
		return ""
	}
	return t.Via
}
