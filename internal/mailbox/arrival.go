package mailbox

import (
	"bytes"
	"cmp"
	"slices"
)

// arrival is what orders messages that get their UIDs together: the seconds in
// front of a name, then Dovecot's ".M<microseconds>", then the name, in which our
// id rises with time.
type arrival struct {
	seconds, micros int64
	record          int
}

// arrivals returns the messages without a UID, the oldest first.
func (s *scan) arrivals() []*record {
	p := &s.f.picture
	all := make([]arrival, 0, s.unborn())
	for i := range p.records {
		if r := &p.records[i]; r.uid == 0 {
			all = append(all, arrivalOf(i, p.base(r)))
		}
	}
	slices.SortFunc(all, func(a, b arrival) int {
		if c := cmp.Or(cmp.Compare(a.seconds, b.seconds), cmp.Compare(a.micros, b.micros)); c != 0 {
			return c
		}
		return bytes.Compare(p.base(&p.records[a.record]), p.base(&p.records[b.record]))
	})
	unborn := make([]*record, len(all))
	for i, a := range all {
		unborn[i] = &p.records[a.record]
	}
	return unborn
}

func arrivalOf(record int, name []byte) arrival {
	a := arrival{record: record}
	seconds, rest := leadingNumber(name)
	if digits, ok := bytes.CutPrefix(rest, []byte(".M")); ok {
		a.micros, _ = leadingNumber(digits)
	}
	a.seconds = seconds
	return a
}

// leadingNumber reads up to 18 digits.
func leadingNumber(b []byte) (n int64, rest []byte) {
	i := 0
	for i < len(b) && i < 18 && '0' <= b[i] && b[i] <= '9' {
		n = 10*n + int64(b[i]-'0')
		i++
	}
	return n, b[i:]
}
