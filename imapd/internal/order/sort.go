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
	by   []query.Criterion
	seqs []int
	keys []byte // of one message after the other
	ends []int  // where each key ends
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
	s.ends = slices.Grow(s.ends, n)
}

// keyRoom is enough for most keys.
const keyRoom = 2 << 10

// Add takes a message, of which it keeps nothing.
func (s *Sorter) Add(m *Message) {
	if at := len(s.keys); at+keyRoom > cap(s.keys) { // append alone would make five times as much garbage
		s.keys = slices.Grow(s.keys, max(at, keyRoom, 16*cap(s.seqs)))
	}
	for _, c := range s.by {
		at := len(s.keys)
		s.keys = appendKey(s.keys, m, c.By)
		if c.Reverse {
			invert(s.keys[at:])
		}
	}
	s.seqs, s.ends = append(s.seqs, m.Seq), append(s.ends, len(s.keys))
}

// appendKey appends what a message is compared by, octet by octet. No key is the
// beginning of another one, so that others may stand behind it.
func appendKey(dst []byte, m *Message, by query.By) []byte {
	texts := &m.Facts.texts
	switch by {
	case query.ByArrival:
		return appendNumber(dst, m.Arrival.Unix())
	case query.BySize:
		return appendNumber(dst, m.Size)
	case query.ByRelevancy:
		return appendNumber(dst, -int64(m.Score)) // the highest score first (RFC 6203 section 6)
	case query.ByDate:
		return appendNumber(dst, m.sent())
	case query.BySubject:
		return appendText(dst, texts[baseSubject])
	case query.ByFrom:
		return appendText(dst, texts[fromMailbox])
	case query.ByTo:
		return appendText(dst, texts[toMailbox])
	case query.ByCc:
		return appendText(dst, texts[ccMailbox])
	case query.ByDisplayFrom:
		return appendText(dst, texts[fromDisplay])
	case query.ByDisplayTo:
		return appendText(dst, texts[toDisplay])
	}
	return dst
}

// appendNumber appends the key of a number.
func appendNumber(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)^1<<63)
}

// appendText appends the key of a text: it ends with two NUL, and one that it has is
// followed by 1.
func appendText(dst, text []byte) []byte {
	for i := bytes.IndexByte(text, 0); i >= 0; i = bytes.IndexByte(text, 0) {
		dst, text = append(append(dst, text[:i+1]...), 1), text[i+1:]
	}
	return append(append(dst, text...), 0, 0)
}

// invert turns the order of a key.
func invert(key []byte) {
	for i := range key {
		key[i] = ^key[i]
	}
}

// Sorted returns the sequence numbers in order. Messages that are equal stand as
// in the mailbox (RFC 5256 section 3).
func (s *Sorter) Sorted() []int {
	places := s.places()
	if !slices.IsSortedFunc(places, s.compare) { // as by arrival they mostly are
		places = s.sort(places)
	}
	out := make([]int, len(places))
	for i, p := range places {
		out[i] = s.seqs[p.at]
	}
	return out
}

// place is when a message was added, with eight octets of its key: those from an
// index on that all which are compared have the same octets before.
type place struct {
	octets uint64
	at     int
}

func (s *Sorter) places() []place {
	places := make([]place, len(s.seqs))
	for i := range places {
		places[i] = place{s.octets(i, 0), i}
	}
	return places
}

// key returns the key of the message that was added as the one with that index.
func (s *Sorter) key(at int) []byte {
	from := 0
	if at > 0 {
		from = s.ends[at-1]
	}
	return s.keys[from:s.ends[at]]
}

// octets returns the eight octets from an index of a key on, as a number.
func (s *Sorter) octets(at, from int) uint64 {
	key := s.key(at)
	key = key[min(from, len(key)):]
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

func (s *Sorter) compare(a, b place) int {
	if a.octets != b.octets {
		return cmp.Compare(a.octets, b.octets)
	}
	return cmp.Or(bytes.Compare(s.key(a.at), s.key(b.at)), cmp.Compare(s.seqs[a.at], s.seqs[b.at]))
}

// sort returns places, whose memory it uses, sorted: by their octets, which mostly
// are enough, and where these are the same by the next and the rest.
func (s *Sorter) sort(places []place) []place {
	places = byOctets(places)
	for rest := places; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].octets == rest[0].octets {
			n++
		}
		if same := rest[:n]; n > 1 {
			for i := range same {
				same[i].octets = s.octets(same[i].at, 8)
			}
			slices.SortFunc(same, s.compare)
		}
		rest = rest[n:]
	}
	return places
}

// byOctets returns places, whose memory it uses, sorted by their octets: by one after
// the other, the last first. That costs less than comparing them.
func byOctets(places []place) []place {
	var counts [8][256]uint32
	for _, p := range places {
		for i := range counts {
			counts[i][byte(p.octets>>(8*i))]++
		}
	}
	other := make([]place, len(places))
	for i := range counts {
		next, at := &counts[i], uint32(0)
		if next[byte(places[0].octets>>(8*i))] == uint32(len(places)) {
			continue // all have the same
		}
		for octet, n := range next {
			next[octet], at = at, at+n
		}
		for _, p := range places {
			octet := byte(p.octets >> (8 * i))
			other[next[octet]] = p
			next[octet]++
		}
		places, other = other, places
	}
	return places
}
