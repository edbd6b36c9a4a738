// Package find looks for text in a message as SEARCH does (RFC 3501 section
// 6.4.4): without regard to case, in header fields and text parts after their
// encodings and charsets have been undone.
//
// A message is read through a small buffer however large it is; of one field
// the first 2 MB are searched. What does not follow its encoding is searched as
// far as it could be decoded.
package find

import (
	"io"
	"strings"
	"time"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/date"
	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/mimepart"
)

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

// Date returns the day of the Date field as midnight UTC, whatever its time and
// zone (RFC 3501 section 6.4.4); ok is false when there is none that makes sense.
func (m *Message) Date() (t time.Time, ok bool, err error) {
	p, err := m.header()
	if err != nil {
		return t, false, err
	}
	v, _ := p.Field("date")
	d, ok := date.Parse(v)
	return d.Day, ok && d.Timed, nil
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
	return m.inValues(ranges, newNeedle(text))
}

// inValues searches the values of fields.
func (m *Message) inValues(ranges []mimepart.Range, text wanted) (bool, error) {
	for _, r := range ranges {
		if found, err := m.inFields(r, text, valueOf); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func valueOf(field string) string {
	_, value, _ := strings.Cut(field, ":")
	return value
}

// Addresses reports whether the addresses of the field, which is from, to, cc or
// bcc, contain text: as the envelope has them, written like `Name <box@host>`.
func (m *Message) Addresses(name, text string) (bool, error) {
	if text == "" {
		return m.Field(name, text)
	}
	list, err := m.addresses(name)
	return err == nil && strings.Contains(list, charset.Fold(text)), err
}

// addresses returns the addresses of a field, folded.
func (m *Message) addresses(name string) (string, error) {
	p, err := m.header()
	if err != nil {
		return "", err
	}
	return charset.Fold(decode.Words(mimepart.Format(p.Addresses(strings.ToLower(name))))), nil
}

// wanted is what is looked for.
type wanted interface {
	// in looks at a piece of UTF-8 text and reports whether that is enough.
	in(text []byte) bool
	// inFolded is in for text that is folded already.
	inFolded(text string) bool
	// overlap is how much of one piece has to be at the start of the next.
	overlap() int
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
	return m.below(p, newNeedle(text), false)
}

// Any reports whether a header, that of a part too, or the body contain text.
func (m *Message) Any(text string) (bool, error) {
	p, err := m.whole()
	if err != nil {
		return false, err
	}
	return m.anywhere(p, newNeedle(text))
}

func (m *Message) anywhere(p *mimepart.Part, text wanted) (bool, error) {
	if found, err := m.inHeader(p, text); found || err != nil {
		return found, err
	}
	return m.below(p, text, true)
}

// below searches what is in a part, with headers those of its parts too.
func (m *Message) below(p *mimepart.Part, text wanted, headers bool) (bool, error) {
	if p.Message != nil {
		if found, err := m.inHeader(p.Message, text); found || err != nil {
			return found, err
		}
		return m.below(p.Message, text, headers)
	}
	for _, c := range p.Children {
		if headers {
			if found, err := m.inHeader(c, text); found || err != nil {
				return found, err
			}
		}
		if found, err := m.below(c, text, headers); found || err != nil {
			return found, err
		}
	}
	if len(p.Children) > 0 || !p.Is("text", "") && !p.Is("message", "") {
		return false, nil
	}
	return m.inText(p, text)
}

func (m *Message) inHeader(p *mimepart.Part, text wanted) (bool, error) {
	return m.inFields(p.Header, text, func(field string) string { return field })
}

// inFields searches a range of fields, of each what part returns of it.
func (m *Message) inFields(r mimepart.Range, text wanted, part func(string) string) (bool, error) {
	return mimepart.EachField(m.src, r, func(field string) bool {
		return text.inFolded(charset.Fold(decode.Words(part(field))))
	})
}
