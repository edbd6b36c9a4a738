package power

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"posthorn/test/power/disk"
)

// state is a tree that power cuts leave, and where in the record.
type state struct {
	tree *disk.Tree
	kind disk.Kind
	cuts []int // behind the event of this number
}

// random is how many pseudo-random states each place of a record has.
const random = 6

// states returns the states of all places, each tree once.
func (r *recorded) states() []*state {
	known := map[disk.Hash]*state{}
	var all []*state
	for n, e := range r.events {
		r.base.Apply(e)
		rnd := rand.New(rand.NewPCG(uint64(n), 1))
		for kind, tree := range r.base.States(random, rnd) {
			h := tree.Hash()
			s := known[h]
			if s == nil {
				s = &state{tree: tree, kind: kind}
				known[h] = s
				all = append(all, s)
			}
			if len(s.cuts) == 0 || s.cuts[len(s.cuts)-1] != n {
				s.cuts = append(s.cuts, n)
			}
		}
	}
	return all
}

// some returns n of the states at most, mixed, always the same of the same.
func some(states []*state, n int) []*state {
	states = slices.Clone(states)
	rnd := rand.New(rand.NewPCG(7, 7))
	rnd.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
	return states[:min(n, len(states))]
}

// chosen returns the states that are tried: a sample, all, or a part.
func chosen(states []*state) []*state {
	if !everything {
		return some(states, sample)
	}
	n, m := 0, 1
	if _, err := fmt.Sscanf(os.Getenv("POSTHORN_PROVE"), "%d/%d", &n, &m); err != nil {
		return states
	}
	mixed := some(states, len(states))
	return mixed[len(mixed)*(n-1)/m : len(mixed)*n/m]
}

// outcome is what came of states that were tried.
type outcome struct {
	mu     sync.Mutex
	tried  int
	wrong  []string
	w1, w3 int // states in these windows of doc/spool.md
}

func (o *outcome) windows() string {
	return fmt.Sprintf("a message without answer stayed (W1) in %d states, came to the other host again (W3) in %d", o.w1, o.w3)
}

// replay tries the states; with first it stops at one that lost an answered message.
func (r *recorded) replay(t *testing.T, states []*state, first bool) *outcome {
	t.Helper()
	out := &outcome{}
	todo := make(chan *state)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		h := newHost(t, "")
		wg.Go(func() {
			for s := range todo {
				r.check(s, h.try(s.tree), out)
			}
		})
	}
	for _, s := range states {
		if first && out.lost() {
			break
		}
		todo <- s
	}
	close(todo)
	wg.Wait()
	return out
}

// lost reports whether an answered message was lost.
func (o *outcome) lost() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.wrong, func(text string) bool { return strings.Contains(text, "(answered true)") })
}

// check holds what was found to what had been promised at each cut.
func (r *recorded) check(s *state, f *found, out *outcome) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.tried++
	say := func(cut int, format string, args ...any) {
		out.wrong = append(out.wrong, fmt.Sprintf("%s, cut at %d, %v: %s", s.kind, cut, r.events[cut], fmt.Sprintf(format, args...)))
	}
	cut := s.cuts[0]
	if f.err != nil {
		say(cut, "%v\n%s", f.err, f.log)
	}
	if len(f.odd) > 0 {
		say(cut, "put aside: %v\n%s", f.odd, f.log)
	}
	for user, files := range f.boxes {
		for _, file := range files {
			if !whole(r.letters, file) {
				say(cut, "%s has a torn message of %d bytes: %.300q", user, len(file), file)
			}
		}
	}
	var w1, w3 bool
	for _, l := range r.letters {
		have := l.find(f)
		for _, cut := range s.cuts {
			p := r.promised(l, cut)
			// W1: the boxes that have it already keep it when the others did not get it.
			if r.atOnce && !p.answered && len(l.boxes) > 1 && l.early(p, have) {
				w1 = true
				continue
			}
			if text := l.compare(p, have); text != "" {
				say(cut, "%s (answered %v) %s\n%s", l.name, p.answered, text, f.log)
				break
			}
			w1 = w1 || !p.answered && have.any()
			w3 = w3 || p.taken > 0 && have.remote > 0
		}
	}
	if w1 {
		out.w1++
	}
	if w3 {
		out.w3++
	}
}

// promise is what is known of a letter when the power goes.
type promise struct {
	answered bool // its client has the 250
	taken    int  // times that the other host has taken it
}

func (r *recorded) promised(l *letter, cut int) (p promise) {
	for _, e := range r.events[:cut+1] {
		switch {
		case e.Do != disk.Note:
		case e.Who == "client":
			p.answered = p.answered || e.Path == l.name
		case strings.Contains(string(r.took[e.Path]), "Subject: "+l.name):
			p.taken++
		}
	}
	return p
}

func (c copies) any() bool { return c.remote+c.bounce+len(c.boxes) > 0 }

// early reports whether all that is left of a letter is what some of its boxes
// got, once each.
func (l *letter) early(p promise, have copies) bool {
	for user, n := range have.boxes {
		if n > 1 || !slices.Contains(l.boxes, user) {
			return false
		}
	}
	return p.taken == 0 && have.remote == 0 && have.bounce == 0 && l.remote == 0 && l.bounce == ""
}

// compare says what is wrong with the copies of a letter, or "".
func (l *letter) compare(p promise, have copies) string {
	if !p.answered && p.taken == 0 && !have.any() {
		return ""
	}
	for user, n := range have.boxes {
		if !slices.Contains(l.boxes, user) {
			return fmt.Sprintf("is %d times in the box of %s, whom it is not for", n, user)
		}
	}
	for _, user := range l.boxes {
		if n := have.boxes[user]; n != 1 {
			return fmt.Sprintf("is %d times in the box of %s, want 1", n, user)
		}
	}
	bounces := 0
	if l.bounce != "" {
		bounces = 1
	}
	if have.bounce != bounces {
		return fmt.Sprintf("came back %d times, want %d", have.bounce, bounces)
	}
	// W3: what the other host had when the power went may come to it again.
	if p.taken+have.remote < l.remote || have.remote > l.remote {
		return fmt.Sprintf("reached the other host %d times before and %d times after, want %d", p.taken, have.remote, l.remote)
	}
	return ""
}
