package order

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"posthorn/imapd/internal/query"
)

// Sorter collects messages to be sorted. It has no pointers to them, for there may
// be many.
type Sorter struct {
	by     []query.Criterion
	seqs   []int
	values []value // one for each criterion, message after message
	texts  []byte
}

// value is a number, or a text with a number that compares as it does.
type value struct {
	num      int64
	from, to int // of Sorter.texts
}

// NewSorter returns a Sorter by some criteria, of which the first counts most.
func NewSorter(by []query.Criterion) *Sorter { return &Sorter{by: by} }

// Needs returns what Add will look at.
func (s *Sorter) Needs() (n Needs) {
	for _, c := range s.by {
		switch c.By {
		case query.ByArrival:
			n.Arrival = true
		case query.BySize:
			n.Size = true
		case query.ByDate:
			n.Arrival, n.Facts = true, true
		case query.ByRelevancy:
		default:
			n.Facts = true
		}
	}
	return n
}

// Expect says how many messages will be added.
func (s *Sorter) Expect(n int) {
	s.seqs = slices.Grow(s.seqs, n)
	s.values = slices.Grow(s.values, n*len(s.by))
}

// Add takes a message, of which it keeps nothing.
func (s *Sorter) Add(m *Message) {
	s.seqs = append(s.seqs, m.Seq)
	for _, c := range s.by {
		s.values = append(s.values, s.valueOf(m, c.By))
	}
}

func (s *Sorter) valueOf(m *Message, by query.By) value {
	switch by {
	case query.ByArrival:
		return value{num: m.Arrival.Unix()}
	case query.BySize:
		return value{num: m.Size}
	case query.ByRelevancy:
		return value{num: -int64(m.Score)} // the highest score first (RFC 6203 section 6)
	case query.ByDate:
		return value{num: m.sent()}
	case query.BySubject:
		return s.textOf(m.Facts.texts[baseSubject])
	case query.ByFrom:
		return s.textOf(m.Facts.texts[fromMailbox])
	case query.ByTo:
		return s.textOf(m.Facts.texts[toMailbox])
	case query.ByCc:
		return s.textOf(m.Facts.texts[ccMailbox])
	case query.ByDisplayFrom:
		return s.textOf(m.Facts.texts[fromDisplay])
	case query.ByDisplayTo:
		return s.textOf(m.Facts.texts[toDisplay])
	}
	return value{}
}

// maxText bounds what is compared of a text, so that the memory for it is bounded too.
const maxText = 1000

// cut returns what is compared of a text.
func cut(text []byte) []byte { return text[:min(len(text), maxText)] }

// textOf returns a text as a value; what it begins with is compared as a number.
func (s *Sorter) textOf(text []byte) value {
	text = cut(text)
	var begin [8]byte
	copy(begin[:], text)
	at := len(s.texts)
	if at+len(text) > cap(s.texts) { // append alone would make five times as much garbage
		s.texts = slices.Grow(s.texts, max(at, len(text), 16*cap(s.seqs)))
	}
	s.texts = append(s.texts, text...)
	return value{int64(binary.BigEndian.Uint64(begin[:]) ^ 1<<63), at, len(s.texts)}
}

// Sorted returns the sequence numbers in order. Messages that are equal stand as
// in the mailbox (RFC 5256 section 3).
func (s *Sorter) Sorted() []int {
	places := make([]place, len(s.seqs))
	for i := range places {
		places[i] = place{s.first(i), i}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		return s.compare(a.at, b.at)
	})
	out := make([]int, len(places))
	for i, p := range places {
		out[i] = s.seqs[p.at]
	}
	return out
}

// place is when a message was added, with a number that orders most of them without
// a look at the others.
type place struct {
	first int64
	at    int
}

// first returns the number of a message's first value, such that less comes first.
func (s *Sorter) first(at int) int64 {
	if len(s.by) == 0 {
		return 0
	}
	num := s.values[at*len(s.by)].num
	if s.by[0].Reverse {
		return ^num
	}
	return num
}

// compare compares two messages by when they were added.
func (s *Sorter) compare(a, b int) int {
	n := len(s.by)
	for i, c := range s.by {
		x, y := &s.values[a*n+i], &s.values[b*n+i]
		d := cmp.Compare(x.num, y.num)
		if d == 0 {
			d = bytes.Compare(s.texts[x.from:x.to], s.texts[y.from:y.to])
		}
		if c.Reverse {
			d = -d
		}
		if d != 0 {
			return d
		}
	}
	return cmp.Compare(s.seqs[a], s.seqs[b])
}
