package order

import (
	"cmp"
	"slices"

	"posthorn/imapd/internal/query"
)

// Thread is a message with those that follow it.
type Thread struct {
	Seq     int // 0: it holds together messages of which none is the first
	Replies []*Thread

	sent    int64
	arrived int64
	subject string
	reply   bool // by its subject
	merged  bool // into another thread

	parent *Thread // while references are followed
	kids   int     // how many have it as parent
}

// Threads collects messages to be threaded.
type Threads struct {
	alg  query.Algorithm
	list []*Thread
	ids  map[id]*Thread // with REFERENCES and REFS
	free []Thread       // made and not used yet
}

// NewThreads returns Threads that are made in the way of alg.
func NewThreads(alg query.Algorithm) *Threads {
	return &Threads{alg: alg, ids: make(map[id]*Thread)}
}

// Needs returns what Add will look at.
func (t *Threads) Needs() Needs { return Needs{Arrival: true, Facts: true} }

// Expect says how many messages will be added.
func (t *Threads) Expect(n int) {
	t.list = slices.Grow(t.list, n)
	if t.alg != query.OrderedSubject {
		t.ids = make(map[id]*Thread, n)
	}
}

// fresh returns a Thread of nothing yet.
func (t *Threads) fresh() *Thread {
	if len(t.free) == 0 {
		t.free = make([]Thread, 64)
	}
	n := &t.free[0]
	t.free = t.free[1:]
	return n
}

// Add takes a message, of which it keeps nothing; its sequence number is above those
// taken before.
func (t *Threads) Add(m *Message) {
	var n *Thread
	if t.alg == query.OrderedSubject {
		n = t.fresh()
	} else {
		n = t.link(&m.Facts)
	}
	n.Seq, n.sent, n.arrived = m.Seq, m.sent(), m.Arrival.Unix()
	n.subject, n.reply = string(m.Facts.texts[baseSubject]), m.Facts.reply
	t.list = append(t.list, n)
}

// Threads returns the threads. To be called once.
func (t *Threads) Threads() []*Thread {
	switch t.alg {
	case query.OrderedSubject:
		return t.bySubject()
	case query.Refs:
		return t.byLatest()
	}
	return t.byReferences()
}

// bySubject is ORDEREDSUBJECT (RFC 5256 section 3).
func (t *Threads) bySubject() []*Thread {
	slices.SortFunc(t.list, func(a, b *Thread) int {
		return cmp.Or(cmp.Compare(a.subject, b.subject), earlier(a, b))
	})
	var roots []*Thread
	for _, n := range t.list {
		if last := len(roots) - 1; last >= 0 && roots[last].subject == n.subject {
			roots[last].Replies = append(roots[last].Replies, n)
		} else {
			roots = append(roots, n)
		}
	}
	slices.SortFunc(roots, earlier)
	return roots
}

// first returns the message that stands for a thread: of one that only holds
// messages together, the first.
func (n *Thread) first() *Thread {
	if n.Seq == 0 && len(n.Replies) > 0 {
		return n.Replies[0]
	}
	return n
}

// earlier compares threads by sent date and place in the mailbox (RFC 5256
// section 2.2).
func earlier(a, b *Thread) int {
	a, b = a.first(), b.first()
	return cmp.Or(cmp.Compare(a.sent, b.sent), cmp.Compare(a.Seq, b.Seq))
}

// Output is where threads are written; package wire's Writer is one.
type Output interface {
	Put(s string)
	Num(n uint64)
}

// Write writes threads as a THREAD response has them (RFC 5256 section 4);
// number returns what a message is called.
func Write(w Output, threads []*Thread, number func(seq int) uint32) {
	for _, t := range threads {
		w.Put("(")
		t.members(w, number)
		w.Put(")")
	}
}

// members writes messages that follow one another, until they part.
func (n *Thread) members(w Output, number func(seq int) uint32) {
	for sep := ""; ; n = n.Replies[0] {
		if n.Seq != 0 {
			w.Put(sep)
			w.Num(uint64(number(n.Seq)))
			sep = " "
		}
		switch len(n.Replies) {
		case 0:
			return
		case 1:
		default:
			w.Put(sep)
			Write(w, n.Replies, number)
			return
		}
	}
}
