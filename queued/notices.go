package main

import (
	"errors"
	"io"
	"slices"
	"time"

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
	if p.delayDue() {
		p.m.Owe(spool.Notice{ID: id.New(), Kind: "delay", Targets: p.open()})
	}
}

// untold lists the targets that failed without a notice.
func (p *pass) untold() []int {
	var list []int
	for n := range p.m.Targets {
		t := &p.m.Targets[n]
		if t.Verdict.Kind == verdict.Never && !t.Failed {
			list = append(list, n)
		}
	}
	return list
}

// delayDue reports whether the sender is to be told of a delay now. A null
// sender is never told, nor anybody twice of one message.
func (p *pass) delayDue() bool {
	after := p.set.DelayWarning
	if after == 0 || p.m.From.IsNull() || time.Since(p.m.Time) < after || len(p.open()) == 0 {
		return false
	}
	return !slices.ContainsFunc(p.m.Notices, func(n spool.Notice) bool { return n.Kind == "delay" })
}

// allTold reports whether nothing is owed.
func (p *pass) allTold() bool {
	return (len(p.untold()) == 0 || p.isLast()) && !slices.ContainsFunc(p.m.Notices, func(n spool.Notice) bool { return !n.Sent })
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
	p.log.Finished(p.m.ID, 0, len(p.m.Targets), time.Since(p.m.Time))
	return true
}

// sendNotices makes a message of each notice that is owed, and records it.
func (p *pass) sendNotices() error {
	for _, n := range slices.Clone(p.m.Notices) {
		if n.Sent {
			continue
		}
		if err := p.sendNotice(n); err != nil {
			return err
		}
	}
	return nil
}

// sendNotice makes a notice durable, records that it is, and only then lets it
// go: whenever that is cut short, the notice is found again by its id and is
// not made twice.
func (p *pass) sendNotice(n spool.Notice) error {
	it, placed := p.schedule.Arriving(n.ID)
	var own *spool.Message
	if !placed {
		var ok bool
		if it, ok = p.schedule.Reserve(n.ID); !ok {
			return p.recordSent(n) // found in the queue at the start
		}
		var err error
		if own, err = p.compose(n); err != nil {
			p.schedule.Cancel(n.ID)
			return err
		}
		if err := p.enqueue(it, own, false); err != nil {
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
	env := spool.Envelope{
		ID: n.ID, Time: r.Date, Origin: "bounce", Body: "7bit", UTF8: r.UTF8, Rcpts: []spool.Rcpt{{Address: r.To}},
	}
	if r.UTF8 {
		env.Body = "8bitmime"
	}
	m, err := p.spool.Compose(env, func(w io.Writer) error { return r.Write(w, p.m.Content()) })
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
		Kind: bounce.Failure, ID: n.ID, Hostname: p.set.Hostname, To: p.m.From, Date: time.Now(),
		About: p.m.ID, Sender: p.m.From, Arrived: p.m.Time, Until: p.m.Time.Add(p.lifetime()),
		UTF8: p.m.UTF8 || p.m.From.UTF8(),
	}
	switch {
	case n.Kind == "delay":
		r.Kind = bounce.Delay
	case p.m.From.IsNull():
		r.Kind, r.To = bounce.Double, p.set.postmaster
	}
	for _, i := range n.Targets {
		t := &p.m.Targets[i]
		r.Rcpts = append(r.Rcpts, bounce.Rcpt{Original: p.m.Rcpts[t.Orig].Address, Final: finalAddress(t), Verdict: t.Verdict, Via: remoteHost(t)})
	}
	return r
}

// finalAddress is the address of a target, as far as others may know it.
func finalAddress(t *spool.Target) string {
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
