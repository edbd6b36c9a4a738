package main

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/addr"
	"posthorn/internal/directory"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
	"posthorn/queued/internal/schedule"
)

// expandWithin is how long a client waits for the directory: after it the
// message is kept as it came.
const expandWithin = 2 * time.Second

// Probe takes an empty file through the door. What modes, groups or confinement
// forbid is never: waiting does not cure it.
func (q *queue) Probe(_ context.Context, f *os.File) error {
	err := q.spool.Probe(f)
	for _, errno := range []error{unix.EPERM, unix.EACCES, unix.EXDEV, unix.EROFS} {
		if errors.Is(err, errno) {
			err = verdict.Fail(verdict.Never, "5.3.5", "a message could not be given its name: "+errno.Error(), err)
		}
	}
	return q.refused("", err)
}

// refused logs what its maker is told and returns it. A file of another mount
// comes again, through this one's folder, and what is wrong then its maker says.
func (q *queue) refused(msg string, err error) error {
	if err != nil && !errors.Is(err, unix.EXDEV) {
		q.log.NotQueued(msg, err)
	}
	return err
}

// Folder opens the incoming folder for its makers.
func (q *queue) Folder() (*os.File, error) { return q.spool.Folder() }

// Submit takes a message in: nil says that it is durable. Its first pass begins
// at once, and hands on the descriptor that came.
func (q *queue) Submit(ctx context.Context, msg string, f *os.File) error {
	it, ok := q.schedule.Reserve(msg)
	if !ok {
		defer f.Close()
		return q.again(msg, f)
	}
	defer q.unreserve(it, msg)
	m, err := q.spool.Receive(f, msg)
	if err != nil {
		f.Close()
		return q.refused(msg, err)
	}
	if m.Gone {
		m.Close()
		return nil
	}
	// Lines behind the message were written by us, or by its maker: they are
	// not believed, and boxes may have it.
	found := len(m.Targets) > 0 || m.Expanded
	if !m.Expanded {
		q.expandSoon(ctx, m)
	}
	var p *pass
	if !found {
		p = q.tryAtOnce(it, m)
	}
	if p != nil && p.settled() {
		return q.refused(msg, p.answer())
	}
	if p != nil {
		p.presume()
	}
	if err := q.enqueue(it, m, found); err != nil {
		q.letGo(p, m)
		return q.refused(msg, err)
	}
	if p != nil {
		q.resume(p)
	} else {
		q.launch(it, m, m.Expanded && !found)
	}
	return nil
}

// unreserve forgets a message that did not come into the queue, whatever kept it
// out: its maker may keep it, and then it is collected.
func (q *queue) unreserve(it *schedule.Item, msg string) {
	if !it.Ref().Placed() {
		q.schedule.Cancel(msg)
	}
}

// enqueue makes a message durable and puts it into the schedule. An error does
// neither; one that has been in the queue and left it is not placed either.
func (q *queue) enqueue(it *schedule.Item, m *spool.Message, found bool) error {
	err := q.spool.Commit(m)
	if errors.Is(err, spool.ErrDeparted) {
		return nil
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = verdict.Fail(verdict.Later, "4.3.1", "no room for the message", err) // RFC 3463 3.4
	}
	if err != nil {
		return err
	}
	e := m.Entry()
	e.Time = q.now() // the clock may have been set since its maker began
	q.schedule.Place(it, e, found)
	q.log.Queued(m.ID, m.Origin, m.From.String(), len(m.Rcpts), m.Size)
	return nil
}

// launch begins the first pass of a message that was taken, or leaves it to the
// schedule when too many run. asked says that the directory has just named its
// targets.
func (q *queue) launch(it *schedule.Item, m *spool.Message, asked bool) {
	if !it.Ref().Placed() { // it departed
		m.Close()
		return
	}
	if !q.schedule.Start(it, q.now()) {
		m.Close()
		return
	}
	q.passes.Go(func() { q.attempt(it, m, asked) })
}

// resume goes on with the pass of a message that was tried before it was taken.
func (q *queue) resume(p *pass) {
	if !p.it.Ref().Placed() { // it departed
		q.letGo(p, p.m)
		return
	}
	q.schedule.Claim(p.it)
	q.passes.Go(p.carryOn)
}

// letGo closes a message that did not come into the queue, when what p tried with
// it has ended: that has the file in use. p may be nil.
func (q *queue) letGo(p *pass, m *spool.Message) {
	if p == nil {
		m.Close()
		return
	}
	q.passes.Go(func() {
		defer m.Close()
		for ; p.running > 0; p.running-- {
			<-p.done
		}
	})
}

// again answers for a message whose id is known: its maker lost the answer and
// asks once more, with the same file.
func (q *queue) again(msg string, f *os.File) error {
	ref, ok := q.schedule.Known(msg)
	if ok && ref.Placed() && q.spool.Holds(ref, f) {
		return nil
	}
	return q.refused(msg, verdict.Fail(verdict.Later, "4.3.0", "the message is being handled", spool.ErrExists))
}

// expandSoon asks the directory where a new message leads, and leaves it as it
// is when that takes too long.
func (q *queue) expandSoon(ctx context.Context, m *spool.Message) {
	ctx, cancel := context.WithTimeout(ctx, expandWithin)
	defer cancel()
	if err := q.expand(ctx, m); err != nil {
		q.log.Unexpanded(m.ID, err)
	}
}

// expand asks the directory where each recipient leads and records it. An
// error leaves m as it was: half a failure is later as a whole.
func (q *queue) expand(ctx context.Context, m *spool.Message) error {
	answers, err := q.resolveAll(ctx, m.Rcpts)
	if err != nil {
		return err
	}
	x := expansion{rcpts: m.Rcpts, seen: map[place]int{}}
	refused := map[int]verdict.Verdict{}
	for orig, a := range answers {
		if v := verdict.Of(a.Err); v.Kind == verdict.Never {
			rcpt := m.Rcpts[orig].String()
			refused[len(x.targets)] = v
			x.targets = append(x.targets, spool.Target{Kind: "none", Value: rcpt, Rcpt: rcpt, Orig: orig})
			continue
		}
		for _, t := range a.Targets {
			x.add(spool.Target{Kind: string(t.Kind), Value: t.Value, Rcpt: t.Rcpt, Orig: orig, Origin: t.Origin})
		}
	}
	if err := m.SetTargets(x.targets); err != nil {
		return err
	}
	for n, v := range refused {
		m.SetResult([]int{n}, 0, spool.Result{Verdict: v, At: q.now()})
		q.log.Outcome(m.ID, "none", x.targets[n].Value, v, 0, q.now().Sub(m.Time))
	}
	q.logExpansion(m)
	return nil
}

// logExpansion tells what leads elsewhere than it says.
func (q *queue) logExpansion(m *spool.Message) {
	for _, t := range m.Targets {
		if rcpt := m.Rcpts[t.Orig]; t.Kind != "none" && t.Kind != "same" && t.Value != rcpt.Key() && t.Value != rcpt.String() {
			q.log.Expanded(m.ID, rcpt.String(), t.Kind, t.Value, t.Origin)
		}
	}
}

// resolveAll asks for all recipients together. An error is one for which the
// whole message waits.
func (q *queue) resolveAll(ctx context.Context, rcpts []spool.Rcpt) ([]directory.Answer, error) {
	all := make([]addr.Address, len(rcpts))
	for i, r := range rcpts {
		all[i] = r.Address
	}
	answers, err := q.directory.ResolveAll(ctx, all)
	if err != nil {
		return nil, err
	}
	for _, a := range answers {
		if verdict.Of(a.Err).Kind == verdict.Later {
			return nil, a.Err
		}
	}
	return answers, nil
}
