package order

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"posthorn/imapd/internal/query"
)

// Sorter collects messages to be sorted.
type Sorter struct {
	by   []query.Criterion
	list []sorted
}

// sorted is a message with a value for each criterion.
type sorted struct {
	seq    int
	values []value
}

// value is a number, or a text with a number that compares as it does.
type value struct {
	num  int64
	text string
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

// Add takes a message.
func (s *Sorter) Add(m Message) {
	values := make([]value, len(s.by))
	for i, c := range s.by {
		values[i] = valueOf(&m, c.By)
	}
	s.list = append(s.list, sorted{m.Seq, values})
}

func valueOf(m *Message, by query.By) value {
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
		return textOf(m.Facts.texts[baseSubject])
	case query.ByFrom:
		return textOf(m.Facts.texts[fromMailbox])
	case query.ByTo:
		return textOf(m.Facts.texts[toMailbox])
	case query.ByCc:
		return textOf(m.Facts.texts[ccMailbox])
	case query.ByDisplayFrom:
		return textOf(m.Facts.texts[fromDisplay])
	case query.ByDisplayTo:
		return textOf(m.Facts.texts[toDisplay])
	}
	return value{}
}

// textOf returns a text as a value; what it begins with is compared as a number.
func textOf(text []byte) value {
	var begin [8]byte
	copy(begin[:], text)
	return value{num: int64(binary.BigEndian.Uint64(begin[:]) ^ 1<<63), text: string(text)}
}

// Sorted returns the sequence numbers in order. Messages that are equal stand as
// in the mailbox (RFC 5256 section 3).
func (s *Sorter) Sorted() []int {
	slices.SortFunc(s.list, s.compare)
	out := make([]int, len(s.list))
	for i, m := range s.list {
		out[i] = m.seq
	}
	return out
}

func (s *Sorter) compare(a, b sorted) int {
	for i, c := range s.by {
		d := cmp.Compare(a.values[i].num, b.values[i].num)
		if d == 0 {
			d = strings.Compare(a.values[i].text, b.values[i].text)
		}
		if c.Reverse {
			d = -d
		}
		if d != 0 {
			return d
		}
	}
	return cmp.Compare(a.seq, b.seq)
}
