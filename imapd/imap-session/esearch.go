package main

import (
	"slices"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// found is what a SEARCH found, as far as its answer needs it: numbers of
// messages, in rising order.
type found struct {
	list []int // all, unless only edges and parts of it are asked for
	min  int   // 0: nothing is found
	max  int
	part []int

	scores []int // of RELEVANCY
}

// results looks for messages. Of a search for the first or the last only these
// are looked for (RFC 4731 section 5).
func (f *finder) results(r query.Return) (found, error) {
	if r.Extended && !r.Update && !r.All && !r.Count && !r.Relevancy && (r.Min || r.Max || r.Partial.Lo > 0) {
		return f.edges(r)
	}
	list, err := f.all()
	if err != nil || len(list) == 0 {
		return found{}, err
	}
	from, to := r.Partial.Cut(len(list))
	return f.scored(found{list: list, min: list[0], max: list[len(list)-1], part: list[from:to]}, r), nil
}

func (f *finder) edges(r query.Return) (out found, err error) {
	first, last := 1, f.view.Len()
	var list []int
	if r.Min {
		if list, err = f.some(first, 1, 1); err != nil || len(list) == 0 {
			return found{}, err
		}
		out.min = list[0]
	}
	if r.Max {
		if list, err = f.some(last, -1, 1); err != nil || len(list) == 0 {
			return found{}, err
		}
		out.max = list[0]
	}
	p := r.Partial
	list = nil
	switch {
	case p.Lo == 0:
	case p.Last:
		list, err = f.some(last, -1, int(p.Hi))
		slices.Reverse(list)
	default:
		list, err = f.some(first, 1, int(p.Hi))
	}
	from, to := p.Cut(len(list))
	out.part = list[from:to]
	return out, err
}

// saved returns the messages that "$" stands for from now on (RFC 5182 section
// 2.4, RFC 9394 section 3.2).
func (o found) saved(r query.Return) []int {
	if o.list != nil {
		return slices.Sorted(slices.Values(o.list)) // a SORT has it in another order
	}
	out := slices.Clone(o.part)
	for _, seq := range []int{o.min, o.max} {
		if seq > 0 {
			out = append(out, seq)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// uidsOf returns the UIDs of messages in rising order, as few ranges.
func (s *Session) uidsOf(seqs []int) wire.Set {
	var out wire.Set
	for i := 0; i < len(seqs); {
		j := i
		for j+1 < len(seqs) && seqs[j+1] == seqs[j]+1 {
			j++
		}
		out = append(out, wire.Range{Lo: s.view.At(seqs[i]).UID, Hi: s.view.At(seqs[j]).UID})
		i = j + 1
	}
	return out
}

// writeESearch answers a SEARCH with RETURN; one that is only to be saved has no
// answer of its own (RFC 5182 section 2.2).
func (s *Session) writeESearch(c *wire.Command, r query.Return, o found, number func(int) uint32, modSeq uint64) {
	if r == (query.Return{Extended: true, Save: true}) {
		return
	}
	s.w.Raw("* ESEARCH (TAG \"", c.Tag, "\")")
	if isUID(c) {
		s.w.Raw(" UID")
	}
	s.writeResults(r, o, number, modSeq)
}

// writeResults writes the end of an ESEARCH response.
func (s *Session) writeResults(r query.Return, o found, number func(int) uint32, modSeq uint64) {
	if r.Min && o.min > 0 {
		s.item("MIN", number(o.min))
	}
	if r.Max && o.max > 0 {
		s.item("MAX", number(o.max))
	}
	if r.Count {
		s.item("COUNT", uint32(len(o.list)))
	}
	if r.Partial.Lo > 0 {
		s.w.Raw(" PARTIAL (", r.Partial.String(), " ")
		s.writeSet(o.part, number)
		s.w.Raw(")")
	}
	if r.All && len(o.list) > 0 {
		s.w.Raw(" ALL ")
		s.writeSet(o.list, number)
	}
	if r.Relevancy {
		s.writeRelevancy(o.scores)
	}
	if modSeq > 0 {
		s.w.Raw(" MODSEQ ")
		s.w.Num(modSeq)
	}
	s.w.Raw("\r\n")
}

func (s *Session) item(name string, n uint32) {
	s.w.Raw(" ", name, " ")
	s.w.Num(uint64(n))
}

// writeSet writes messages as a set, NIL for none.
func (s *Session) writeSet(seqs []int, number func(int) uint32) {
	if len(seqs) == 0 {
		s.w.Raw("NIL")
		return
	}
	numbers := make([]uint32, len(seqs))
	for i, seq := range seqs {
		numbers[i] = number(seq)
	}
	s.w.Bytes(wire.AppendSet(nil, numbers))
}
