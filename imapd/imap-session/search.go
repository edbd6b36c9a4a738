package main

import (
	"slices"
	"strings"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/seek"
	"posthorn/imapd/internal/wire"
)

// search answers SEARCH and UID SEARCH (RFC 3501 section 6.4.4, RFC 4731).
func (s *Session) search(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	q, err := query.ParseSearch(c.Args)
	if err != nil {
		return "", err
	}
	if s.utf8Accept && q.Charset != "" {
		return "", &wire.SyntaxError{Text: "all text is UTF-8"} // RFC 9755 section 3
	}
	if s.rev2 && !q.Return.Extended {
		q.Return = query.Return{Extended: true, All: true} // RFC 9051 section 6.4.4
	}
	if err := s.mayStand(c.Tag); err != nil && q.Return.Update {
		return "", err
	}
	f, err := s.newFinder(c, q)
	if err != nil {
		return "", err
	}
	over := f.limit()
	found, err := f.results(q.Return)
	if err != nil {
		return "", err
	}
	if q.Return.Save {
		s.saved = s.uidsOf(found.saved(q.Return))
	}
	numbers := s.numbersOf(isUID(c))
	if q.Return.Extended {
		s.writeESearch(c, q.Return, found, numbers, f.modSeq(found))
	} else {
		s.writeNumbers("SEARCH", found.list, numbers, f.modSeq(found))
	}
	if q.Return.Update {
		s.stand(c, f, q.Return, found.list, over.limit > 0)
	}
	return s.partly(completed(c, f.gone), over), nil
}

// writeNumbers writes the response of a SEARCH or SORT without RETURN.
// With a modseq it names the highest (RFC 7162 section 3.1.5).
func (s *Session) writeNumbers(name string, found []int, number func(int) uint32, modSeq uint64) {
	s.w.Raw("* ", name)
	for _, seq := range found {
		s.w.Raw(" ")
		s.w.Num(uint64(number(seq)))
	}
	if modSeq > 0 {
		s.w.Raw(" (MODSEQ ")
		s.w.Num(modSeq)
		s.w.Raw(")")
	}
	s.w.Raw("\r\n")
}

// numbersOf returns how the messages of an answer are named.
func (s *Session) numbersOf(uid bool) func(seq int) uint32 {
	if uid {
		return s.view.UID
	}
	return func(seq int) uint32 { return uint32(seq) }
}

// finder is one SEARCH at work.
type finder struct {
	*Session
	*seek.Seeker
	tag  string
	gone bool // some messages are

	scores map[int]int // of FUZZY keys, by sequence number
}

// newFinder makes a search ready to run.
func (s *Session) newFinder(c *wire.Command, q query.Search) (*finder, error) {
	if s.uidOnly && q.Key.Asks(query.Seq) {
		return nil, errUIDOnly()
	}
	key := seek.Prepare(q.Key, s.view, s.saved)
	if q.Return.Save {
		s.saved = nil // it stays so if the answer is NO (RFC 5182 section 2.1)
	}
	if err := recode(&key, q.Charset); err != nil {
		return nil, err
	}
	if key.Asks(query.ModSeqs) {
		s.wantModSeqs() // RFC 7162 section 3.1
	}
	return &finder{Session: s, Seeker: seek.New(s.view, s.pool, key), tag: c.Tag}, nil
}

// modSeq returns the highest modseq of what was found, 0 where the search did not
// ask for modseqs.
func (f *finder) modSeq(o found) uint64 {
	if !f.Key.Asks(query.ModSeqs) {
		return 0
	}
	return f.highestOf(o)
}

// all returns the messages that are found, in rising order.
func (f *finder) all() ([]int, error) { return f.some(1, 1, 0) }

// some returns the first messages that are found from seq on, going step by step;
// limit 0 means all.
func (f *finder) some(seq, step, limit int) (out []int, err error) {
	progress := f.progress()
	for b, err := range f.Batches(f.hands, seq, step, limit) {
		f.gone = f.gone || b.Gone
		if len(out)+len(b.Hits) > cap(out) { // append alone would make five times as much garbage
			out = slices.Grow(out, max(len(out), len(b.Hits)))
		}
		for _, h := range b.Hits {
			f.score(h)
			if out = append(out, h.Seq); len(out) == limit {
				return out, nil
			}
		}
		if err != nil {
			return nil, err
		}
		if err := progress.done(b.N); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// recode turns the texts of a key, which are of the charset name, into UTF-8.
// Where none is named they are US-ASCII (RFC 3501 section 6.4.4), and what a
// client sends beyond that is taken for UTF-8.
func recode(k *query.Key, name string) error {
	if name == "" {
		return nil
	}
	if _, ok := charset.Lookup(name); !ok {
		// RFC 3501 section 7.1.
		return no("[BADCHARSET (" + strings.Join(charset.Names(), " ") + ")] charset not supported")
	}
	var ok bool
	if k.Text, ok = charset.Decode(name, k.Text); !ok {
		return no("text does not follow its charset")
	}
	for i := range k.Sub {
		if err := recode(&k.Sub[i], name); err != nil {
			return err
		}
	}
	return nil
}
