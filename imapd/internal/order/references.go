package order

import (
	"cmp"
	"slices"
)

// Bounds: the messages that are known by references only, and how many messages above
// another are looked at for a loop.
const (
	maxDummies = 1 << 20
	maxAbove   = 10_000
)

// link returns the thread of a message and has it follow the last of its
// references (RFC 5256 section 3, REFERENCES, step 1).
func (t *Threads) link(f *Facts) *Thread {
	n := t.own(f.id())
	var last *Thread
	for id := range f.references() {
		next := t.named(id)
		if next == nil {
			continue
		}
		if last != nil && next.parent == nil {
			next.follow(last)
		}
		last = next
	}
	n.leave()
	if last != nil {
		n.follow(last)
	}
	return n
}

// own returns the thread of a message that has the ID. The first that has it
// keeps it.
func (t *Threads) own(id id) *Thread {
	n := t.ids[id]
	switch {
	case id == 0 || n != nil && n.Seq != 0:
		return t.fresh()
	case n == nil:
		n = t.fresh()
		t.ids[id] = n
	}
	return n
}

// named returns the thread of a reference, nil if there is no room for it.
func (t *Threads) named(id id) *Thread {
	n := t.ids[id]
	if n == nil && len(t.ids) < maxDummies+len(t.list) {
		n = t.fresh()
		t.ids[id] = n
	}
	return n
}

// follow makes n a child of p unless that would be a loop, or it takes too long to know.
func (n *Thread) follow(p *Thread) {
	if n == p {
		return
	}
	if n.kids > 0 { // else nothing is below it
		steps := 0
		for q := p.parent; q != nil; q = q.parent {
			if steps++; q == n || steps > maxAbove {
				return
			}
		}
	}
	n.parent = p
	p.kids++
}

// leave takes n from its parent.
func (n *Thread) leave() {
	if n.parent != nil {
		n.parent.kids--
		n.parent = nil
	}
}

// byReferences is REFERENCES from step 2 on.
func (t *Threads) byReferences() []*Thread {
	roots := t.prune()
	roots = gather(roots)
	for _, n := range t.list { // step 6
		slices.SortFunc(n.Replies, earlier)
	}
	sortRoots(roots)
	return roots
}

// byLatest is REFS (draft-ietf-morg-inthread): subjects do not count, and the thread
// to which a message came last is the last.
func (t *Threads) byLatest() []*Thread {
	roots := t.prune()
	for _, n := range t.list {
		slices.SortFunc(n.Replies, earlier)
	}
	latest := make(map[*Thread]int64, len(roots))
	for _, n := range roots {
		latest[n] = n.latest()
	}
	slices.SortStableFunc(roots, func(a, b *Thread) int { return cmp.Compare(latest[a], latest[b]) })
	return roots
}

// latest returns when the last message of a thread arrived.
func (n *Thread) latest() (at int64) {
	for open := []*Thread{n}; len(open) > 0; {
		n, open = open[len(open)-1], open[:len(open)-1]
		at = max(at, n.arrived)
		open = append(open, n.Replies...)
	}
	return at
}

// prune returns the threads without the messages that are not there; one that
// holds together several messages at the top stays (steps 2 to 4).
func (t *Threads) prune() []*Thread {
	var roots []*Thread
	for _, n := range t.list {
		top := n.above()
		if top == nil {
			roots = append(roots, n)
			continue
		}
		if top.Seq == 0 && top.Replies == nil {
			roots = append(roots, top)
		}
		top.Replies = append(top.Replies, n)
	}
	for i, n := range roots {
		if n.Seq == 0 && len(n.Replies) == 1 {
			roots[i] = n.Replies[0]
		}
	}
	sortRoots(roots)
	return roots
}

// above returns the nearest message above n, or what is at the top.
func (n *Thread) above() *Thread {
	top := n.parent
	for top != nil && top.Seq == 0 && top.parent != nil {
		top = top.parent
	}
	for q := n.parent; q != top; { // the next message has a shorter way
		next := q.parent
		q.parent = top
		q = next
	}
	return top
}

func sortRoots(roots []*Thread) {
	for _, n := range roots {
		if n.Seq == 0 {
			slices.SortFunc(n.Replies, earlier)
		}
	}
	slices.SortFunc(roots, earlier)
}

// gather merges threads with the same subject (step 5).
func gather(roots []*Thread) []*Thread {
	table := subjects(roots)
	all := roots
	for _, n := range roots {
		subject := n.first().subject
		old := table[subject]
		switch {
		case subject == "" || old == n:
		case old.Seq == 0 && n.Seq == 0:
			old.Replies = append(old.Replies, n.Replies...)
			n.merged = true
		case old.Seq == 0 || n.reply && !old.reply:
			old.Replies = append(old.Replies, n)
			n.merged = true
		default:
			both := &Thread{Replies: []*Thread{old, n}}
			old.merged, n.merged = true, true
			table[subject] = both
			all = append(all, both)
		}
	}
	return slices.DeleteFunc(all, func(n *Thread) bool { return n.merged })
}

// subjects returns for each subject the thread with which others are merged.
func subjects(roots []*Thread) map[string]*Thread {
	table := make(map[string]*Thread)
	for _, n := range roots {
		subject := n.first().subject
		old := table[subject]
		if old == nil || old.Seq != 0 && (n.Seq == 0 || old.reply && !n.reply) {
			table[subject] = n
		}
	}
	return table
}
