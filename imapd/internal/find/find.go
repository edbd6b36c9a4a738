// Package find looks for text in a message as SEARCH does (RFC 3501 section
// 6.4.4): without regard to case, in header fields and text parts after their
// encodings have been undone.
//
// Texts in UTF-8, US-ASCII and ISO 8859-1 are understood; of other charsets the
// ASCII characters are. A message is read through a small buffer however large
// it is. What does not follow its encoding is searched as far as it could be
// decoded.
package find

import (
	"io"
	"net/mail"
	"strings"
	"time"

	"posthorn/imapd/internal/mimepart"
)

// maxField bounds what is searched of one header, all its fields that are asked
// for together.
const maxField = 256 << 10

// Message is an open message; what is found out about it is kept for the next
// question. It is used by one goroutine.
type Message struct {
	src  io.ReaderAt
	size int64
	head *mimepart.Part
	root *mimepart.Part
}

// New returns the message that src holds in its first size octets. Errors of
// its methods are those of reading.
func New(src io.ReaderAt, size int64) *Message { return &Message{src: src, size: size} }

func (m *Message) header() (*mimepart.Part, error) {
	if m.root != nil {
		return m.root, nil
	}
	if m.head != nil {
		return m.head, nil
	}
	p, err := mimepart.ParseHeader(m.src, m.size)
	if err == nil {
		m.head = p
	}
	return p, err
}

func (m *Message) whole() (*mimepart.Part, error) {
	if m.root != nil {
		return m.root, nil
	}
	p, err := mimepart.Parse(m.src, m.size)
	if err == nil {
		m.root = p
	}
	return p, err
}

// Date returns the date of the Date field; ok is false when there is none that
// makes sense.
func (m *Message) Date() (t time.Time, ok bool, err error) {
	p, err := m.header()
	if err != nil {
		return t, false, err
	}
	v, _ := p.Field("date")
	t, bad := mail.ParseDate(v)
	return t, bad == nil, nil
}

// Field reports whether a field of that name contains text; every field
// contains the empty text.
func (m *Message) Field(name, text string) (bool, error) {
	p, err := m.header()
	if err != nil {
		return false, err
	}
	ranges, err := mimepart.Select(m.src, p.Header, []string{name}, false)
	if err != nil || len(ranges) == 0 || text == "" {
		return len(ranges) > 0, err
	}
	raw, err := m.read(ranges)
	if err != nil {
		return false, err
	}
	text = fold(text)
	for _, value := range fields(raw) {
		if _, value, _ = strings.Cut(value, ":"); strings.Contains(fold(decodeWords(value)), text) {
			return true, nil
		}
	}
	return false, nil
}

// Body reports whether the body contains text: one of its text parts, or the
// header of a message in it.
func (m *Message) Body(text string) (bool, error) {
	p, err := m.whole()
	if err != nil {
		return false, err
	}
	if text == "" {
		return true, nil
	}
	return m.below(p, fold(text))
}

// Any reports whether header or body contain text.
func (m *Message) Any(text string) (bool, error) {
	p, err := m.whole()
	if err != nil {
		return false, err
	}
	text = fold(text)
	if found, err := m.inHeader(p, text); found || err != nil {
		return found, err
	}
	return m.below(p, text)
}

// below searches what is in a part, which is folded text.
func (m *Message) below(p *mimepart.Part, text string) (bool, error) {
	if p.Message != nil {
		if found, err := m.inHeader(p.Message, text); found || err != nil {
			return found, err
		}
		return m.below(p.Message, text)
	}
	for _, c := range p.Children {
		if found, err := m.below(c, text); found || err != nil {
			return found, err
		}
	}
	if len(p.Children) > 0 || !p.Is("text", "") {
		return false, nil
	}
	return m.inText(p, text)
}

func (m *Message) inHeader(p *mimepart.Part, text string) (bool, error) {
	raw, err := m.read([]mimepart.Range{p.Header})
	if err != nil {
		return false, err
	}
	for _, f := range fields(raw) {
		if strings.Contains(fold(decodeWords(f)), text) {
			return true, nil
		}
	}
	return false, nil
}

// read returns the octets of ranges, at most maxField.
func (m *Message) read(ranges []mimepart.Range) (string, error) {
	var out strings.Builder
	for _, r := range ranges {
		n := min(r.Len(), int64(maxField-out.Len()))
		if _, err := io.Copy(&out, io.NewSectionReader(m.src, r.Off, n)); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

// fields splits a header into its fields, unfolded (RFC 5322 section 2.2.3).
func fields(raw string) []string {
	raw = strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t").Replace(raw)
	return strings.Split(raw, "\r\n")
}

// fold makes texts comparable without regard to case.
func fold(s string) string { return strings.ToLower(s) }
