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

// Search is what is kept of a message for SEARCH, SORT and THREAD.
type Search struct {
	Day   time.Time
	Dated bool      // Day is that of the Date field
	Facts []byte    // as order.Facts reads them
	found [5][]byte // what is searched, by field
}

// usualSize is enough for a text of most messages.
const usualSize = 512

// searched are the fields of Search.found.
func searched() [5]string { return [5]string{"from", "to", "cc", "bcc", "subject"} }

// search returns a message's Search as it is kept.
func search(src io.ReaderAt, root *mimepart.Part) ([]byte, error) {
	b := append(make([]byte, 0, usualSize), version, 0)
	v, _ := root.Field("date")
	day := int64(0)
	if d, ok := date.Parse(v); ok && d.Timed {
		b[1], day = 1, d.Day.Unix()
	}
	b = binary.AppendVarint(b, day)
	names := searched()
	var room [usualSize]byte
	for _, name := range names[:4] {
		b = appendText(b, charset.AppendFold(room[:0], decode.Words(mimepart.Format(root.Addresses(name)))))
	}
	subject, err := fields(src, root, names[4])
	return appendText(appendText(b, subject), order.FactsOf(root).Append(room[:0])), err
}

// ReadSearch reads a kept Search; ok is false for one of another version. It shares
// b's memory.
func ReadSearch(b []byte) (s Search, ok bool) {
	if len(b) < 2 || b[0] != version {
		return s, false
	}
	day, n := binary.Varint(b[2:])
	if n <= 0 {
		return s, false
	}
	s.Dated, s.Day = b[1] == 1, time.Unix(day, 0).UTC()
	f := &s.found
	return s, readTexts(b[2+n:], &f[0], &f[1], &f[2], &f[3], &f[4], &s.Facts)
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
