package main

import (
	"posthorn/imapd/internal/find"
	"posthorn/imapd/internal/gist"
	"posthorn/imapd/internal/query"
)

// fuzzily is meets for a key behind FUZZY (RFC 6203 section 3). Other keys than
// those that look for text match as ever (section 5).
func (c *candidate) fuzzily(k query.Key) (bool, error) {
	was := c.fuzzy
	c.fuzzy = true
	defer func() { c.fuzzy = was }()
	return c.meets(&k)
}

// like looks for the words of a text and notes how well they were found.
func (c *candidate) like(k query.Key) (bool, error) {
	look := c.open
	where := find.Anywhere
	switch k.Op {
	case query.BodyText:
		where = find.InBody
	case query.AddressText:
		where, look = find.InAddresses, c.header
	case query.FieldText:
		where = find.InField
		if gist.Usual([]string{k.Field}) {
			look = c.header
		}
	}
	text, err := look()
	if err != nil {
		return false, err
	}
	l := find.NewLikeness(k.Text)
	if err := text.Like(l, where, k.Field); err != nil || l.Score() == 0 {
		return false, err
	}
	c.score += l.Score()
	c.scores++
	return true, nil
}

// score notes the relevancy of a message that was found.
func (f *finder) score(h hit) {
	if h.score == 0 {
		return
	}
	if f.scores == nil {
		f.scores = make(map[int]int)
	}
	f.scores[h.seq] = h.score
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
