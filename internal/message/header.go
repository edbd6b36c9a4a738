package message

import (
	"bytes"
	"errors"
	"strings"
)

const (
	// MaxHeader is the most bytes a header may have unless Header.Max says
	// otherwise.
	MaxHeader = 1 << 20
	// maxName bounds a field's name (RFC 5322 2.1.1: no line is longer); what
	// has no colon until then is no field.
	maxName = 998
)

// ErrHeaderSize says that a header has more bytes than allowed.
var ErrHeaderSize = errors.New("message header is too large")

// Header watches a message pass and notes what its header holds. It wants lines
// that end in CRLF, as Lines makes them; at most a field's name is held back.
//
// A line that can be no field ends the header (RFC 5322 2.2); it gets the empty
// line that the sender left out, so that lines put in front of the message do
// not take it for one of theirs.
type Header struct {
	Max   int64                // bytes; 0 means MaxHeader
	Extra func(*Header) []byte // called once at the header's end; returns whole lines to add to it; may be nil

	Received                       int // number of Received fields
	HasDate, HasFrom, HasMessageID bool

	state headerState
	size  int64
	held  []byte // start of a line that may be a field
	blank bool   // held had blanks, so only a colon may follow
}

type headerState int

const (
	lineStart headerState = iota
	inName
	inValue
	emptyLine // CR at the start of a line
	inBody
)

// Done reports whether the header has ended.
func (h *Header) Done() bool { return h.state == inBody }

// Append appends src to dst, with what Extra adds at the header's end. It fails
// with ErrHeaderSize only.
func (h *Header) Append(dst, src []byte) ([]byte, error) {
	dst, body, err := h.Take(dst, src)
	if err != nil {
		return dst, err
	}
	return append(dst, body...), nil
}

// Take is Append without what stands in src behind the header, which it returns.
func (h *Header) Take(dst, src []byte) (_, body []byte, err error) {
	for len(src) > 0 && h.state != inBody {
		var n int
		dst, n = h.step(dst, src)
		src = src[n:]
		if h.size += int64(n); h.size > h.max() {
			return dst, nil, ErrHeaderSize
		}
	}
	return dst, src, nil
}

// Finish appends what is held back when the message ends inside its header.
func (h *Header) Finish(dst []byte) ([]byte, error) {
	switch h.state {
	case inBody:
	case lineStart, inValue:
		dst = h.end(dst, "")
	default:
		dst = h.notField(dst)
	}
	return dst, nil
}

func (h *Header) max() int64 {
	if h.Max > 0 {
		return h.Max
	}
	return MaxHeader
}

// step takes at least one byte of src and returns how many.
func (h *Header) step(dst, src []byte) ([]byte, int) {
	switch h.state {
	case inValue:
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			return append(dst, src...), len(src)
		}
		h.state = lineStart
		return append(dst, src[:i+1]...), i + 1
	case lineStart:
		return h.start(dst, src[0]), 1
	case emptyLine:
		if src[0] == '\n' {
			return append(h.end(dst, ""), '\r', '\n'), 1
		}
		return append(h.notField(dst), src[0]), 1
	default:
		return h.name(dst, src[0]), 1
	}
}

// start looks at the first byte of a line.
func (h *Header) start(dst []byte, c byte) []byte {
	switch {
	case c == '\r':
		h.state, h.held = emptyLine, append(h.held[:0], c)
		return dst
	case c == '\n':
		return append(h.end(dst, ""), c)
	case (c == ' ' || c == '\t') && h.size > 0: // folded (RFC 5322 2.2.3)
		h.state = inValue
		return append(dst, c)
	}
	h.state, h.held, h.blank = inName, h.held[:0], false
	return h.name(dst, c)
}

// name looks at a byte of a field's name. Blanks before the colon are obsolete
// but seen (RFC 5322 4.5).
func (h *Header) name(dst []byte, c byte) []byte {
	switch {
	case c == ':' && len(h.held) > 0:
		h.note(strings.TrimRight(string(h.held), " \t"))
		h.state = inValue
		return append(append(dst, h.held...), c)
	case (c == ' ' || c == '\t') && len(h.held) > 0:
		h.blank = true
	case c <= ' ' || c >= 0x7f || c == ':' || h.blank || len(h.held) == maxName:
		return append(h.notField(dst), c)
	}
	h.held = append(h.held, c)
	return dst
}

// note counts a field.
func (h *Header) note(name string) {
	switch {
	case strings.EqualFold(name, "Received"):
		h.Received++
	case strings.EqualFold(name, "Date"):
		h.HasDate = true
	case strings.EqualFold(name, "From"):
		h.HasFrom = true
	case strings.EqualFold(name, "Message-ID"):
		h.HasMessageID = true
	}
}

// notField ends the header before the line that held belongs to.
func (h *Header) notField(dst []byte) []byte { return append(h.end(dst, "\r\n"), h.held...) }

// end ends the header: Extra's lines, then separator.
func (h *Header) end(dst []byte, separator string) []byte {
	h.state = inBody
	if h.Extra != nil {
		dst = append(dst, h.Extra(h)...)
	}
	return append(dst, separator...)
}
