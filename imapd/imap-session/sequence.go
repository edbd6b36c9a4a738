package main

import (
	"iter"
	"slices"
	"strings"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// sequence is the messages that a command names, as ranges of their sequence
// numbers in rising order.
type sequence []wire.Range

// all yields the sequence numbers.
func (q sequence) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, r := range q {
			for seq := int(r.Lo); seq <= int(r.Hi); seq++ {
				if !yield(seq) {
					return
				}
			}
		}
	}
}

// down yields them from the highest to the lowest.
func (q sequence) down() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, r := range slices.Backward(q) {
			for seq := int(r.Hi); seq >= int(r.Lo); seq-- {
				if !yield(seq) {
					return
				}
			}
		}
	}
}

// slice returns the sequence numbers.
func (q sequence) slice() []int {
	var out []int
	for seq := range q.all() {
		out = append(out, seq)
	}
	return out
}

// messages takes the message set of a command: UIDs if its name says so, else
// sequence numbers.
func (s *Session) messages(c *wire.Command) (sequence, error) {
	set, saved, err := c.Args.SavedSet()
	if err != nil {
		return nil, err
	}
	var out sequence
	switch {
	case isUID(c):
		out = s.byUID(set)
	case set != nil:
		if out, err = s.bySeq(set); err != nil {
			return nil, err
		}
	}
	if saved {
		out = sequence(wire.Set(append(out, s.byUID(s.saved)...)).Resolve(0))
	}
	return out, nil
}

func isUID(c *wire.Command) bool { return strings.HasPrefix(c.Name, "UID ") }

// bySeq checks sequence numbers: one that does not exist makes no sense (RFC
// 3501 section 9, seq-number).
func (s *Session) bySeq(set wire.Set) (sequence, error) {
	n := uint32(s.view.Len())
	if set.Max() > n || n == 0 {
		return nil, &wire.SyntaxError{Text: "no such message"}
	}
	return sequence(set.Resolve(n)), nil
}

// byUID finds the messages of UIDs; those that do not exist are passed over
// (RFC 3501 section 6.4.8).
func (s *Session) byUID(set wire.Set) sequence {
	n := s.view.Len()
	if n == 0 {
		return nil
	}
	var out sequence
	for _, r := range set.Resolve(s.view.At(n).UID) {
		lo, hi := s.view.After(r.Lo), n
		if r.Hi < ^uint32(0) {
			hi = s.view.After(r.Hi+1) - 1
		}
		if lo <= hi {
			out = append(out, wire.Range{Lo: uint32(lo), Hi: uint32(hi)})
		}
	}
	return out
}

// partialFetch leaves the messages that PARTIAL names of a UID FETCH (RFC 9394
// section 3.3).
func (s *Session) partialFetch(c *wire.Command, seqs sequence, p query.Partial) (sequence, error) {
	switch {
	case p.Lo == 0:
		return seqs, nil
	case !isUID(c):
		return nil, &wire.SyntaxError{Text: "PARTIAL is for UID FETCH"}
	}
	if err := s.fetchable(p); err != nil {
		return nil, err
	}
	return seqs.cut(p.Cut(seqs.len())), nil
}

// len returns the number of messages.
func (q sequence) len() (n int) {
	for _, r := range q {
		n += int(r.Hi-r.Lo) + 1
	}
	return n
}

// cut returns the messages from the index from up to to.
func (q sequence) cut(from, to int) (out sequence) {
	for _, r := range q {
		size := int(r.Hi-r.Lo) + 1
		lo, hi := max(from, 0), min(to, size)
		if lo < hi {
			out = append(out, wire.Range{Lo: r.Lo + uint32(lo), Hi: r.Lo + uint32(hi) - 1})
		}
		from, to = from-size, to-size
	}
	return out
}
