package main

import (
	"posthorn/imapd/internal/order"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// sort answers SORT and UID SORT (RFC 5256 section 3), with RETURN as ESEARCH
// (RFC 5267 section 3).
func (s *Session) sort(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	q, err := query.ParseSort(c.Args)
	if err != nil {
		return "", err
	}
	f, err := s.newFinder(c, q.Search)
	if err == nil {
		err = f.whole()
	}
	if err != nil {
		return "", err
	}
	sorter := order.NewSorter(q.By)
	if err := f.order(sorter); err != nil {
		return "", err
	}
	found := f.scored(sorted(sorter.Sorted(), q.Return), q.Return)
	if q.Return.Save {
		s.saved = s.uidsOf(found.saved(q.Return))
	}
	numbers := s.numbersOf(isUID(c))
	if q.Return.Extended {
		s.writeESearch(c, q.Return, found, numbers, f.modSeq(found))
	} else {
		s.writeNumbers("SORT", found.list, numbers, f.modSeq(found))
	}
	return completed(c, f.gone), nil
}

// sorted returns what the answer of a SORT needs: MIN is the first, MAX the last
// (RFC 5267 section 3.1).
func sorted(list []int, r query.Return) found {
	if len(list) == 0 {
		return found{}
	}
	from, to := r.Partial.Cut(len(list))
	first, last := list[0], list[len(list)-1]
	if !r.Extended || r.All || r.Count || r.Relevancy || !r.Min && !r.Max && r.Partial.Lo == 0 {
		return found{list: list, min: first, max: last, part: list[from:to]}
	}
	out := found{part: list[from:to]}
	if r.Min {
		out.min = first
	}
	if r.Max {
		out.max = last
	}
	return out
}
