package order

import (
	"cmp"
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

// value is a number or a text.
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
			n.Arrival = true
		}
		if field := fieldOf(c.By); field != "" {
			n.Fields = append(n.Fields, field)
		}
	}
	return n
}

// fieldOf returns the header field that a criterion looks at, "" for none.
func fieldOf(by query.By) string {
	switch by {
	case query.ByDate:
		return "date"
	case query.BySubject:
		return "subject"
	case query.ByFrom, query.ByDisplayFrom:
		return "from"
	case query.ByTo, query.ByDisplayTo:
		return "to"
	case query.ByCc:
		return "cc"
	}
	return ""
}

// Add takes a message.
func (s *Sorter) Add(m Message) {
	values := make([]value, len(s.by))
	for i, c := range s.by {
		values[i] = valueOf(m, c.By)
	}
	s.list = append(s.list, sorted{m.Seq, values})
}

func valueOf(m Message, by query.By) (v value) {
	switch by {
	case query.ByArrival:
		v.num = m.Arrival.Unix()
	case query.BySize:
		v.num = m.Size
	case query.ByRelevancy:
		v.num = -int64(m.Score) // the highest score first (RFC 6203 section 6)
	case query.ByDate:
		v.num = m.sent()
	case query.BySubject:
		v.text, _ = m.subject()
	case query.ByFrom:
		v.text = m.address("from")
	case query.ByTo:
		v.text = m.address("to")
	case query.ByCc:
		v.text = m.address("cc")
	case query.ByDisplayFrom:
		v.text = m.display("from")
	case query.ByDisplayTo:
		v.text = m.display("to")
	}
	return v
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
