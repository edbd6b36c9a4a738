package main

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/directory"
	"posthorn/internal/handover"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
	"posthorn/queued/internal/route"
	"posthorn/queued/internal/schedule"
)

// Verdicts that queued gives itself.
var (
	notNamed    = verdict.New(verdict.Later, "4.3.0", "the address does not lead here any more")
	notKnown    = verdict.New(verdict.Later, "4.3.5", "this server cannot deliver to such a place")
	notTried    = verdict.New(verdict.Later, "4.3.0", "it could not be tried yet")
	notAnswered = verdict.New(verdict.Later, "4.3.0", "the attempt was cut short")
	notTold     = verdict.New(verdict.Later, "4.3.0", "the attempt said nothing of this recipient")
)

// job is one attempt: what it needs to pass, and what it does.
type job struct {
	doors   []schedule.Door
	targets []int
	run     func(gates []*schedule.Gate) outcome
}

// Doors to our own daemons. One that does not answer is most likely being
// restarted, and an attempt may take long: several are made to find out.
const trial = 16

// soon is how long one of our daemons is left alone.
func (q *queue) soon(failures int) time.Duration { return q.soonest << min(failures-1, 5) }

func (p *pass) authdDoor() schedule.Door {
	return schedule.Door{Name: "@authd", Limit: 64, Trial: trial, Backoff: p.soon}
}

func (p *pass) deliverDoor() schedule.Door {
	return schedule.Door{Name: "@deliver", Limit: p.set.DeliverConcurrency, Trial: trial, Backoff: p.soon}
}

func (p *pass) remoteDoor() schedule.Door {
	return schedule.Door{Name: "@queue-remote", Limit: p.set.RemoteConcurrency, Trial: trial, Backoff: p.soon}
}

// ours reports whether a gate leads to one of our own daemons.
func ours(g *schedule.Gate) bool { return strings.HasPrefix(g.Name(), "@") }

// destinationDoor is the one to a destination, which is left alone by the same
// steps as a message when it does not answer.
func (p *pass) destinationDoor(name string) schedule.Door {
	set := p.set // what the gate remembers for long must not hold the message
	return schedule.Door{Name: name, Limit: set.DestinationConcurrency, Backoff: func(failures int) time.Duration {
		return min(set.wait(failures), time.Hour)
	}}
}

// attempts makes the attempts for all targets that are open and were not tried
// in this round.
func (p *pass) attempts() {
	if !p.recheck() {
		return
	}
	jobs := p.jobs()
	if len(jobs) == 1 { // nearly always: no second goroutine for it
		p.alone(jobs[0])
		return
	}
	p.done = make(chan outcome, abreast)
	for _, j := range jobs {
		p.start(j)
	}
	for p.running > 0 {
		p.take(<-p.done)
	}
}

// start begins an attempt, after another one has ended if there are many.
func (p *pass) start(j job) {
	for p.running >= abreast {
		p.take(<-p.done)
	}
	if gates, ok := p.enter(j); ok {
		p.running++
		go func() { p.done <- p.carryOut(j, gates) }()
	}
}

// alone makes the one attempt of a pass.
func (p *pass) alone(j job) {
	if gates, ok := p.enter(j); ok {
		p.running++
		p.take(p.carryOut(j, gates))
	}
}

// enter takes the places that an attempt needs.
func (p *pass) enter(j job) (gates []*schedule.Gate, ok bool) {
	gates, blocked := p.schedule.Enter(p.it, p.now(), j.doors...)
	if blocked != nil {
		p.block(blocked)
		return nil, false
	}
	return gates, true
}

// carryOut makes an attempt. A bug met by one keeps nothing else from going on.
func (p *pass) carryOut(j job, gates []*schedule.Gate) (o outcome) {
	defer func() {
		if r := recover(); r != nil {
			p.log.Crashed("attempt", fmt.Sprint(r), string(debug.Stack()))
			o = same(j.targets, notAnswered)
		}
	}()
	return j.run(gates)
}

// block notes the gate to wait for: one that is only full rather than one that
// is dead, for behind that the round goes on soon.
func (p *pass) block(g *schedule.Gate) {
	_, dead := p.schedule.Dead(g, p.now())
	if p.blocked == nil || !dead {
		p.blocked, p.dead = g, dead
	}
}

// take records what an attempt said. While others run it is made durable at
// once: a crash then repeats nothing that was said. The last one's verdicts
// are the end's to record, for often the message just leaves.
func (p *pass) take(o outcome) {
	p.running--
	now := p.now()
	for len(o.results) > 0 {
		first := o.results[0].Result
		var targets []int
		rest := o.results[:0]
		for _, r := range o.results {
			if r.Result == first {
				targets = append(targets, r.target)
			} else {
				rest = append(rest, r)
			}
		}
		first.At = now
		p.m.SetResult(targets, p.try, first)
		o.results = rest
	}
	if o.failed != nil {
		p.block(o.failed)
	}
	if p.running > 0 {
		if err := p.m.Flush(); err != nil {
			p.log.SpoolFailed(p.m.ID, err) // written again with the next
		}
	}
}

// same gives all targets one verdict.
func same(targets []int, v verdict.Verdict) outcome {
	var o outcome
	for _, n := range targets {
		o.results = append(o.results, result{n, spool.Result{Verdict: v}})
	}
	return o
}

// pending lists the open targets that were not tried in this round.
func (p *pass) pending() []int {
	var list []int
	for _, n := range p.open() {
		if p.m.Targets[n].Try != p.try {
			list = append(list, n)
		}
	}
	return list
}

// recheck asks the directory again for what is no plain address: a box that is
// not named any more for its recipient does not get the message now. false says
// that the directory does not answer.
func (p *pass) recheck() bool {
	ask := p.toRecheck()
	if p.asked || len(ask) == 0 {
		return true
	}
	// One place for all questions: with one for each, messages of several
	// recipients would take them from each other, and none get through.
	gates, blocked := p.schedule.Enter(p.it, p.now(), p.authdDoor())
	if blocked != nil {
		p.block(blocked)
		return false
	}
	named, err := p.places(ask)
	if err != nil {
		p.bad(gates[0], verdict.Of(err))
		p.block(gates[0])
		return false
	}
	p.good(gates[0])
	for _, n := range ask {
		if t := &p.m.Targets[n]; !named[place{t.Kind, t.Value, t.Orig}] {
			p.decide(n, notNamed)
		}
	}
	return true
}

// toRecheck lists the targets that only the directory can name.
func (p *pass) toRecheck() []int {
	return slices.DeleteFunc(p.pending(), func(n int) bool {
		kind := p.m.Targets[n].Kind
		return kind == "address" || kind == "none" || kind == "same"
	})
}

// places asks where the recipients of some targets lead now. One that leads
// nowhere, by the directory's word, has none; an error is that it said nothing.
func (p *pass) places(targets []int) (map[place]bool, error) {
	var origs []int
	for _, n := range targets {
		origs = append(origs, p.m.Targets[n].Orig)
	}
	slices.Sort(origs)
	origs = slices.Compact(origs)
	rcpts := make([]addr.Address, len(origs))
	for i, orig := range origs {
		rcpts[i] = p.m.Rcpts[orig].Address
	}
	answers, err := p.directory.ResolveAll(p.work, rcpts)
	if err != nil {
		return nil, err
	}
	named := map[place]bool{}
	for i, a := range answers {
		if a.Err != nil && !answered(a.Err) {
			return nil, a.Err
		}
		for _, t := range a.Targets {
			named[place{string(t.Kind), t.Value, origs[i]}] = true
		}
	}
	return named, nil
}

// jobs sorts the targets into attempts.
func (p *pass) jobs() []job {
	var boxes []int
	routes := map[route.Route][]int{}
	var order []route.Route
	for _, n := range p.pending() {
		t := &p.m.Targets[n]
		switch t.Kind {
		case string(directory.KindBox):
			boxes = append(boxes, n)
		case string(directory.KindAddress):
			r, ok := p.route(n)
			if !ok {
				p.decide(n, notKnown)
				continue
			}
			if _, known := routes[r]; !known {
				order = append(order, r)
			}
			routes[r] = append(routes[r], n)
		case "same": // tried once, for the other one
		default:
			p.decide(n, notKnown)
		}
	}
	jobs := p.localJobs(boxes)
	for _, r := range order {
		jobs = append(jobs, p.remoteJob(r, routes[r]))
	}
	return jobs
}

func (p *pass) route(n int) (route.Route, bool) {
	rcpt, err := addr.Parse(p.m.Targets[n].Value)
	if err != nil {
		return route.Route{}, false
	}
	return p.set.router.Choose(p.m.From, rcpt), true
}

// localJobs are the requests to deliver.
func (p *pass) localJobs(boxes []int) []job {
	var jobs []job
	for len(boxes) > 0 {
		some := boxes[:min(len(boxes), handover.MaxBoxes)]
		boxes = boxes[len(some):]
		jobs = append(jobs, job{
			doors: []schedule.Door{p.deliverDoor()}, targets: some,
			run: func(gates []*schedule.Gate) outcome { return p.local(gates[0], some) },
		})
	}
	return jobs
}

// local hands boxes to deliver.
func (p *pass) local(gate *schedule.Gate, targets []int) outcome {
	f, err := p.m.ReadOnly()
	if err != nil {
		p.schedule.Leave(gate)
		p.log.SpoolFailed(p.m.ID, err)
		return same(targets, verdict.Of(err))
	}
	req := handover.DeliverRequest{ID: p.m.ID, Try: p.try, Time: p.m.Time, From: p.m.From, Offset: p.m.Offset, Size: p.m.Size}
	for _, n := range targets {
		t := &p.m.Targets[n]
		req.Boxes = append(req.Boxes, handover.BoxRcpt{Box: t.Value, Rcpt: t.Rcpt})
	}
	answers, err := p.deliver.Do(p.work, req, f)
	if err != nil {
		return p.unanswered(gate, targets, err)
	}
	p.good(gate)
	said := make(map[string]result, len(answers))
	for _, a := range answers {
		said[a.Box] = result{Result: spool.Result{Verdict: a.Verdict, Via: a.File}}
	}
	return collect(targets, said, func(n int) string { return p.m.Targets[n].Value })
}

// impatient is up to which try a message waits only for one of our daemons to
// come back when its answer was lost. Later it keeps to the steps: it may be
// the message itself that ends the daemon.
const impatient = 3

// unanswered is the outcome of a request to one of our daemons that failed as
// a whole. One that could not be handed over was no attempt.
func (p *pass) unanswered(gate *schedule.Gate, targets []int, err error) outcome {
	if answered(err) {
		p.good(gate)
		return same(targets, verdict.Of(err))
	}
	p.bad(gate, notAnswered)
	if unreachable(err) {
		return outcome{failed: gate}
	}
	o := same(targets, notAnswered)
	if p.try <= impatient {
		o.failed = gate
	}
	return o
}

// unreachable reports whether a request never left.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// collect gives each target what was said under its name.
func collect(targets []int, said map[string]result, name func(int) string) outcome {
	var o outcome
	for _, n := range targets {
		r, ok := said[name(n)]
		if !ok {
			r.Verdict = notTold
		}
		r.target = n
		o.results = append(o.results, r)
	}
	return o
}
