package main

import (
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/seek"
)

// score notes the relevancy of a message that was found.
func (f *finder) score(h seek.Hit) {
	if h.Score == 0 {
		return
	}
	if f.scores == nil {
		f.scores = make(map[int]int)
	}
	f.scores[h.Seq] = h.Score
}

// relevancy returns the score of a message that was found, which is the highest
// where no text was looked for.
func (f *finder) relevancy(seq int) int {
	if score, ok := f.scores[seq]; ok {
		return score
	}
	return 100
}

// scored adds the scores of what a search found, if they are asked for.
func (f *finder) scored(o found, r query.Return) found {
	list := o.list
	if r.Partial.Lo > 0 {
		list = o.part
	}
	if r.Relevancy {
		for _, seq := range list {
			o.scores = append(o.scores, f.relevancy(seq))
		}
	}
	return o
}

// writeRelevancy writes scores in the order of the messages (RFC 6203 section 4).
func (s *Session) writeRelevancy(scores []int) {
	s.w.Raw(" RELEVANCY (")
	for i, score := range scores {
		if i > 0 {
			s.w.Raw(" ")
		}
		s.w.Num(uint64(score))
	}
	s.w.Raw(")")
}
