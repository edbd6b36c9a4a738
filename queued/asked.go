package main

import (
	"strconv"

	"posthorn/internal/dsn"
	"posthorn/internal/spool"
)

// place is where a target leads, and for one that another stands for the
// recipient too.
type place struct {
	kind, value string
	orig        int
}

// expansion collects the targets of a message.
type expansion struct {
	rcpts   []spool.Rcpt
	targets []spool.Target
	seen    map[place]int // to targets
}

// add takes a target in, once. One that an earlier recipient named too gets the
// message only once, but where somebody asked for reports each is told of on its
// own: the earlier target stands for both.
func (x *expansion) add(t spool.Target) {
	key := place{t.Kind, t.Value, -1}
	if first, twice := x.seen[key]; twice {
		other := x.targets[first].Orig
		if other == t.Orig || x.rcpts[other].Rcpt == (dsn.Rcpt{}) && x.rcpts[t.Orig].Rcpt == (dsn.Rcpt{}) {
			return
		}
		t.Kind, t.Value = "same", strconv.Itoa(first)
		key = place{t.Kind, t.Value, t.Orig}
		if _, twice := x.seen[key]; twice {
			return
		}
	}
	x.seen[key] = len(x.targets)
	x.targets = append(x.targets, t)
}

// wants reports whether the sender is to be told of an event at a target.
func (p *pass) wants(n int, event dsn.Notify) bool {
	return p.m.Rcpts[p.m.Targets[n].Orig].Notify.Wants(event)
}

// ways is how the recipients of the envelope and the targets belong together.
type ways struct {
	places []int         // targets of each recipient
	same   map[int][]int // targets for which another one stands too
}

// ways counts once a pass, and only when somebody asked for something. Attempts
// call it concurrently.
func (p *pass) ways() *ways {
	p.counting.Do(func() {
		w := ways{places: make([]int, len(p.m.Rcpts)), same: map[int][]int{}}
		for n := range p.m.Targets {
			t := &p.m.Targets[n]
			w.places[t.Orig]++
			if first, err := strconv.Atoi(t.Value); t.Kind == "same" && err == nil {
				w.same[first] = append(w.same[first], n)
			}
		}
		p.counted = w
	})
	return &p.counted
}

// spread reports whether the recipient of a target leads to several places.
func (p *pass) spread(n int) bool { return p.ways().places[p.m.Targets[n].Orig] > 1 }

// passOn is what the host of a target is asked to report. Reports are never asked
// for about our own (RFC 3461 6.1). A recipient that leads to several places is
// confirmed here, and by none of them (RFC 3461 5.2.7). ORCPT is the recipient as
// we were given it when the sender said nothing else (RFC 3461 5.2.1).
func (p *pass) passOn(n int) dsn.Rcpt {
	if p.m.Origin == "bounce" {
		return dsn.Rcpt{Notify: dsn.Never}
	}
	named := p.named(n)
	ask := p.leftToTell(named)
	for _, other := range p.ways().same[n] {
		ask.Notify = ask.Notify.Join(p.leftToTell(other).Notify)
	}
	if ask.Orcpt == "" {
		ask.Orcpt = dsn.OrcptOf(p.m.Rcpts[p.m.Targets[named].Orig].String())
	}
	return ask
}

// named is whose recipient the next host is told of, among a target and those for
// which it stands too: the first for whom there is something to tell. The host
// can name one only in its reports; of the success of others we tell.
func (p *pass) named(n int) int {
	if p.leftToTell(n).Notify != dsn.Never {
		return n
	}
	for _, other := range p.ways().same[n] {
		if p.leftToTell(other).Notify != dsn.Never {
			return other
		}
	}
	return n
}

// leftToTell is what the sender asked for the recipient of a target, as far as it
// is not done here.
func (p *pass) leftToTell(n int) dsn.Rcpt {
	ask := p.m.Rcpts[p.m.Targets[n].Orig].Rcpt
	if p.spread(n) {
		ask.Notify = ask.Notify.Without(dsn.Success)
	}
	return ask
}
