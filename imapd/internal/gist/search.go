package gist

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"time"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/date"
	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/order"
)

// Search is what is kept of a message for SEARCH.
type Search struct {
	Day   time.Time
	Dated bool      // Day is that of the Date field
	found [5][]byte // what is searched, by field
}

// usualSize is enough for a text of most messages.
const usualSize = 512

// searched are the fields of Search.found.
func searched() [5]string { return [5]string{"from", "to", "cc", "bcc", "subject"} }

// search returns a message's facts, for SORT and THREAD, and its Search, as they are
// kept.
func search(src io.ReaderAt, root *mimepart.Part) ([]byte, error) {
	var room [usualSize]byte
	b := append(make([]byte, 0, usualSize), version, 0)
	b = appendText(b, order.FactsOf(root).Append(room[:0]))
	v, _ := root.Field("date")
	day := int64(0)
	if d, ok := date.Parse(v); ok && d.Timed {
		b[1], day = 1, d.Day.Unix()
	}
	b = binary.AppendVarint(b, day)
	names := searched()
	for _, name := range names[:4] {
		b = appendText(b, charset.AppendFold(room[:0], decode.Words(mimepart.Format(root.Addresses(name)))))
	}
	subject, err := fields(src, root, names[4])
	return appendText(b, subject), err
}

// ReadFacts finds the facts, as order.Facts reads them, in what is kept with a Search;
// ok is false for one of another version. They share b's memory.
func ReadFacts(b []byte) (facts []byte, ok bool) {
	facts, _, ok = cutFacts(b)
	return facts, ok
}

func cutFacts(b []byte) (facts, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != version {
		return nil, nil, false
	}
	return cutText(b[2:])
}

// ReadSearch reads a kept Search as ReadFacts does.
func ReadSearch(b []byte) (s Search, ok bool) {
	_, rest, ok := cutFacts(b)
	if !ok {
		return s, false
	}
	day, n := binary.Varint(rest)
	if n <= 0 {
		return s, false
	}
	s.Dated, s.Day = b[1] == 1, time.Unix(day, 0).UTC()
	f := &s.found
	return s, readTexts(rest[n:], &f[0], &f[1], &f[2], &f[3], &f[4])
}

// fields returns the values of a field as they are searched, a NUL behind each.
func fields(src io.ReaderAt, root *mimepart.Part, name string) (out []byte, err error) {
	ranges, err := mimepart.Select(src, root.Header, []string{name}, false)
	for _, r := range ranges {
		if err == nil {
			_, err = mimepart.EachField(src, r, func(field string) bool {
				_, value, _ := strings.Cut(field, ":")
				out = append(charset.AppendFold(out, decode.Words(value)), 0)
				return false
			})
		}
	}
	return out, err
}

// Contains reports whether the addresses of from, to, cc or bcc, or the field
// subject, contain a text, as package find does.
func (s *Search) Contains(field, text string) bool {
	names := searched()
	i := slices.Index(names[:], strings.ToLower(field))
	return i >= 0 && bytes.Contains(s.found[i], []byte(charset.Fold(text)))
}
