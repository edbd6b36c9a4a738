package main

import (
	"iter"
	"strings"

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
	set, err := c.Args.Set()
	if err != nil {
		return nil, err
	}
	if isUID(c) {
		return s.byUID(set), nil
	}
	return s.bySeq(set)
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
