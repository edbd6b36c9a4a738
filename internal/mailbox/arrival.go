package mailbox

import (
	"bytes"
	"cmp"
	"slices"

	"posthorn/internal/picture"
)

// arrival is what orders messages that get their UIDs together: the seconds in
// front of a name, with Dovecot's ".M<microseconds>", then the name, in which our
// id rises with time.
type arrival struct {
	micros int64
	record int
}

// arrivals returns the messages without a UID, the oldest first.
func (s *scan) arrivals() []*picture.Record {
	p := &s.f.Picture
	all := make([]arrival, 0, s.unborn())
	for i := range p.Records {
		if r := &p.Records[i]; r.UID == 0 {
			all = append(all, arrival{arrivedAt(p.Base(r)), i})
		}
	}
	slices.SortFunc(all, func(a, b arrival) int {
		if a.micros != b.micros {
			return cmp.Compare(a.micros, b.micros)
		}
		return bytes.Compare(p.Base(&p.Records[a.record]), p.Base(&p.Records[b.record]))
	})
	unborn := make([]*picture.Record, len(all))
	for i, a := range all {
		unborn[i] = &p.Records[a.record]
	}
	return unborn
}

// arrivedAt returns the time in a file's name, in microseconds.
func arrivedAt(name []byte) int64 {
	seconds, rest := leadingNumber(name)
	micros := int64(0)
	if digits, ok := bytes.CutPrefix(rest, []byte(".M")); ok {
		micros, _ = leadingNumber(digits)
	}
	return min(seconds, maxSeconds)*1e6 + min(micros, 1e6-1)
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
