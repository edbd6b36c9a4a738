package main

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/dsn"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// cut takes note that what was not recorded may be lost: the queue was killed, or
// a step of its disk failed. s.mu is held.
func (s *stage) cut() {
	for _, l := range s.order {
		for _, p := range l.places {
			if p.final != 0 && !p.sure {
				p.final, p.maybe = 0, true
			}
		}
		l.late = false
		l.weak = l.weak || l.want != l.held
	}
}

// lookAtDisk takes note of failed steps. s.mu is held.
func (s *stage) lookAtDisk() {
	if n := s.disk.failures() - s.seen; n > 0 {
		s.tally.faults += n
		s.seen += n
		s.cut()
	}
}

// check holds what the queue shows to the model, when nothing moves.
func (s *stage) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookAtDisk()
	states := s.list()
	incoming := map[string]bool{}
	for _, name := range s.files("incoming/*") {
		incoming[filepath.Base(name)] = true
	}
	for _, l := range s.order {
		quiet := s.busy[l.id] == 0 && s.busy[""] == 0
		if quiet {
			l.settle()
		}
		state, here := states[l.id]
		_, stuck := s.stuck.Load(l.id)
		switch {
		case here && l.refused:
			s.fail("%v is in the queue, and its maker was told that no box takes it", l)
		case here && stuck: // it may be another copy, of which nothing is recorded
			l.weak = true
		case here:
			s.checkHeld(l, state, quiet)
			s.checkShown(l, quiet)
		case !incoming[l.id] && !l.gone && l.acked:
			l.gone, l.goneAt = true, time.Now()
			s.checkLeft(l)
		}
	}
}

// list returns the state of every message that the queue shows.
func (s *stage) list() map[string]string {
	states := map[string]string{}
	for after, more := "", true; more; {
		answer := s.queue.list(context.Background(), attr.List{{Name: "after", Value: after}})
		for _, g := range sock.Groups(answer, "message") {
			after = g.Get("message")
			states[after] = g.Get("state")
		}
		more = answer.Get("more") == "yes"
	}
	return states
}

// settle takes what was said for recorded: the pass in which it was is over.
func (l *letter) settle() {
	for _, p := range l.places {
		p.sure = p.final != 0
	}
	l.overdue = l.overdue || l.late
	l.late = false
}

// checkHeld: what the administrator said holds, also behind a crash.
func (s *stage) checkHeld(l *letter, state string, quiet bool) {
	held := state == "held"
	if l.weak {
		l.want, l.held = held, false
		return
	}
	if held != l.want && !l.waived {
		s.fail("%v is %s, want it held: %v", l, state, l.want)
	}
	if quiet {
		l.held = l.want && !l.waived
	}
}

// checkShown: the targets are those of the model, with what they said.
func (s *stage) checkShown(l *letter, quiet bool) {
	answer := s.queue.show(context.Background(), attr.List{{Name: "id", Value: l.id}})
	targets := sock.Groups(answer, "target")
	if len(targets) == 0 || !quiet {
		return
	}
	if len(targets) != len(l.targets) {
		if targets[0].Get("target") != "none" || !s.expired(l, time.Now()) {
			s.fail("%v has %d targets, want %d", l, len(targets), len(l.targets))
		}
		return
	}
	for n, g := range l.targets {
		p := l.places[g.key]
		if p == nil || g.same || p.maybe {
			continue
		}
		said, want := targets[n].Get("verdict"), p.final.String()
		switch {
		case targets[n].Get("target")+" "+targets[n].Get("value") != g.key && !s.expired(l, time.Now()):
			s.fail("%v: target %d is %v, want %s", l, n, targets[n], g.key)
		case p.final != 0 && said != want, p.final == 0 && said == verdict.Done.String():
			s.fail("%v: %s is shown with %q, want %q", l, g.key, said, want)
		case p.final == 0 && said == verdict.Never.String() && !s.expired(l, time.Now()):
			s.fail("%v: %s was given up too soon", l, g.key)
		}
	}
}

// expired reports whether a letter could be given up at a time.
func (s *stage) expired(l *letter, at time.Time) bool {
	after := s.conf.Expire
	if l.From.IsNull() {
		after = s.conf.BounceExpire
	}
	return at.Sub(l.Time) >= after
}

// checkLeft: who leaves the queue has reached its end.
func (s *stage) checkLeft(l *letter) {
	if l.waived || s.expired(l, time.Now()) {
		return
	}
	for key, p := range l.places {
		if p.final == 0 && !p.maybe {
			s.fail("%v left the queue without a verdict of %s", l, key)
		}
	}
}

// checkEnd: nothing is left, and everybody has got and was told what he should.
func (s *stage) checkEnd() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.queue.schedule.Len(); n > 0 {
		s.fail("%d messages stay: %v", n, s.list())
	}
	for _, pattern := range []string{"incoming/*", "queue/*/*"} {
		if names := s.files(pattern); len(names) > 0 {
			s.fail("files stay: %v", names)
		}
	}
	if lines := s.log.lines("crashed"); len(lines) > 0 {
		s.fail("%q", lines)
	}
	least, most := 0, 0
	for _, l := range s.order {
		if l.acked && !l.waived {
			s.checkTold(l)
		}
		if l.refused && len(l.told) > 0 {
			s.fail("the sender of %v was told %v, and its maker that no box takes it", l, l.told)
		}
		if _, stuck := s.stuck.Load(l.id); stuck && l.last() {
			most++ // its copy too
		}
		if l.last() {
			for _, p := range l.places {
				may, must := l.failure(p, s.expired(l, l.goneAt))
				most += may
				if !l.waived {
					least += must
				}
			}
		}
	}
	if n := len(s.files("odd/*")); n < least || n > most {
		s.fail("%d files are in odd, want %d to %d", n, least, most)
	}
}

// last reports whether nobody is left to be told of a failure.
func (l *letter) last() bool { return l.Origin == "bounce" && l.Rcpts[0].String() == "root@test" }

// failure says how many failures a place may have been the reason of, and must.
func (l *letter) failure(p *spot, expired bool) (may, must int) {
	switch {
	case p != nil && p.again && (p.never || expired): // W1: one of two copies, or both
		return 2, 0
	case p == nil || p.final == verdict.Never:
		return 1, 1
	case p.final == verdict.Done:
		return 0, 0
	case !expired && !p.never:
		return 0, 0
	case p.copies > 0: // which of the two was recorded, a crash has hidden
		return 1, 0
	}
	return 1, 1
}

// report is how often something may be told, and must.
type report struct{ may, must int }

// checkTold holds what the sender was told of a letter to what became of it.
func (s *stage) checkTold(l *letter) {
	expired := s.expired(l, l.goneAt)
	want := s.due(l, expired)
	refused := map[string]report{} // all of it, for nobody could say where it leads
	for _, r := range l.Rcpts {
		if r.Notify.Wants(dsn.Failure) && !l.last() {
			refused["failed "+r.String()] = report{refused["failed "+r.String()].may + 1, 1}
		}
	}
	tried := slices.ContainsFunc(slices.Collect(maps.Values(l.places)), func(p *spot) bool { return p.tries > 0 })
	if !matches(l.told, want) && (tried || !expired || !matches(l.told, refused)) {
		s.fail("the sender of %v was told %v, want %v", l, l.told, want)
	}
	for key, p := range l.places {
		if may, _ := l.failure(p, expired); p.copies == 0 && may == 0 {
			s.fail("%v is lost for %s", l, key)
		}
	}
	if l.warned > 1 || l.warned > 0 && l.From.IsNull() || l.overdue && l.warned == 0 && !l.From.IsNull() {
		s.fail("the sender of %v was warned %d times", l, l.warned)
	}
	for _, rcpt := range l.delays {
		if !slices.ContainsFunc(l.targets, func(g goal) bool {
			return l.Rcpts[g.orig].String() == rcpt && l.Rcpts[g.orig].Notify.Wants(dsn.Delay)
		}) {
			s.fail("the sender of %v was warned of %s", l, rcpt)
		}
	}
}

func matches(told map[string]int, want map[string]report) bool {
	for what, n := range told {
		if n > want[what].may {
			return false
		}
	}
	for what, r := range want {
		if told[what] < r.must {
			return false
		}
	}
	return true
}

// due is what a sender is to be told of a letter that was expanded.
func (s *stage) due(l *letter, expired bool) map[string]report {
	want := map[string]report{}
	add := func(what string, may, must int) {
		want[what] = report{want[what].may + may, want[what].must + must}
	}
	goals := map[int]int{} // of each recipient
	for _, g := range l.targets {
		goals[g.orig]++
	}
	told := map[int]bool{}
	for n, g := range l.targets {
		rcpt, p := l.Rcpts[g.orig], l.places[g.key]
		may, must := l.failure(p, expired)
		if rcpt.Notify.Wants(dsn.Failure) && !l.last() {
			add("failed "+rcpt.String(), may, must)
		}
		if l.From.IsNull() || !rcpt.Notify.Wants(dsn.Success) {
			continue
		}
		if goals[g.orig] > 1 {
			if !told[g.orig] {
				add("expanded "+rcpt.String(), 1, 1)
			}
			told[g.orig] = true
			continue
		}
		if p == nil || p.copies == 0 || must > 0 || s.passedOn(l, n, goals) {
			continue
		}
		what := "delivered "
		if g.key[0] == 'a' {
			what = "relayed "
		}
		add(what+rcpt.String(), 1, max(0, 1-may))
	}
	return want
}

// passedOn reports whether the host of a goal tells the sender itself: it can of
// one recipient, the first who wants to know anything.
func (s *stage) passedOn(l *letter, n int, goals map[int]int) bool {
	if l.targets[n].key != "address r1@dsn.example" {
		return false
	}
	named := -1
	for i, g := range l.targets {
		if g.key != l.targets[n].key {
			continue
		}
		notify := l.Rcpts[g.orig].Notify
		if goals[g.orig] > 1 {
			notify = notify.Without(dsn.Success)
		}
		if named < 0 || l.named(named, goals) == dsn.Never && notify != dsn.Never {
			named = i
		}
	}
	return named == n
}

// named is what is left to tell of a goal by the next host.
func (l *letter) named(n int, goals map[int]int) dsn.Notify {
	g := l.targets[n]
	if goals[g.orig] > 1 {
		return l.Rcpts[g.orig].Notify.Without(dsn.Success)
	}
	return l.Rcpts[g.orig].Notify
}
