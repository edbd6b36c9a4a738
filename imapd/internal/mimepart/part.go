package mimepart

import (
	"io"
	"slices"
	"strings"
)

// Bounds of what is taken apart. Mail programs nest some five levels and make
// some hundred parts.
const (
	maxDepth = 100
	maxParts = 10000
	maxText  = 1 << 20 // bytes of header fields kept, all parts together
)

// Range is the octets from Off up to End, which is not included.
type Range struct{ Off, End int64 }

// Len returns the number of octets.
func (r Range) Len() int64 { return r.End - r.Off }

// Part is a message or a part of one.
type Part struct {
	Header   Range // with the empty line, if there is one
	Body     Range
	Blank    bool    // the header has its empty line
	Above    int64   // line ends of the message in front of the header
	Ends     int64   // line ends in the header
	Lines    int64   // line ends in the body
	Type     string  // as written; "text" when there is none
	Subtype  string  // as written; "plain" when there is none
	Params   []Param // of Content-Type
	Children []*Part // of a multipart
	Message  *Part   // the message in a message/rfc822 or message/global
	fields   []field
}

// field is a kept header field, its value unfolded.
type field struct {
	name   string // lower case
	value  []byte // while the header is read
	text   string // the value behind it
	parsed bool
	list   []Address // of the text, once parsed
}

// Parse takes the message apart that src holds in its first size octets.
// Errors are those of reading.
func Parse(src io.ReaderAt, size int64) (*Part, error) {
	w := walk{lines: newLines(src, 0, size)}
	p, _ := w.entity(kindMessage, 0)
	return p, w.lines.err
}

// ParseHeader is Parse without looking at the body: Lines, Children and Message
// stay empty.
func ParseHeader(src io.ReaderAt, size int64) (*Part, error) {
	w := walk{lines: newLines(src, 0, size)}
	p := &Part{Type: "text", Subtype: "plain"}
	w.header(p, kindMessage)
	p.Body = Range{p.Header.End, size}
	return p, w.lines.err
}

// Header is ParseHeader without looking at the fields either: only Header, Body and
// Blank are set.
func Header(src io.ReaderAt, size int64) (*Part, error) {
	w := walk{lines: newLines(src, 0, size)}
	p := &Part{Type: "text", Subtype: "plain"}
	w.header(p, kindAny)
	p.Body = Range{p.Header.End, size}
	return p, w.lines.err
}

// Is reports whether the part has the given type, and subtype if that is not
// empty.
func (p *Part) Is(typ, subtype string) bool {
	return strings.EqualFold(p.Type, typ) && (subtype == "" || strings.EqualFold(p.Subtype, subtype))
}

// Field returns the value of a kept field, whose name is in lower case.
func (p *Part) Field(name string) (string, bool) {
	if i := p.index(name); i >= 0 {
		return p.fields[i].text, true
	}
	return "", false
}

func (p *Part) index(name string) int {
	return slices.IndexFunc(p.fields, func(f field) bool { return f.name == name })
}

// Param returns a parameter of Content-Type, whose name is in lower case.
func (p *Part) Param(name string) string {
	for _, q := range p.Params {
		if strings.EqualFold(q.Name, name) {
			return q.Value
		}
	}
	return ""
}

func (p *Part) hasParam(name string) bool {
	return slices.ContainsFunc(p.Params, func(q Param) bool { return strings.EqualFold(q.Name, name) })
}

// Addresses returns the addresses of a kept field, whose name is in lower case.
// They are not to be changed.
func (p *Part) Addresses(name string) []Address {
	i := p.index(name)
	if i < 0 {
		return nil
	}
	f := &p.fields[i]
	if !f.parsed {
		f.list, f.parsed = parseAddresses(f.text), true
	}
	return f.list
}

// holdsMessage reports whether the body is a message that can be looked into: a
// message/global may be encoded (RFC 6532 section 3.7).
func (p *Part) holdsMessage() bool {
	switch {
	case p.Is("message", "rfc822"):
		return true
	case p.Is("message", "global"):
		switch strings.ToLower(p.Encoding()) {
		case "7bit", "8bit", "binary":
			return true
		}
	}
	return false
}

// none returns the part that a multipart without parts is said to have, for the
// grammar wants one.
func (p *Part) none() *Part {
	at := Range{p.Body.End, p.Body.End}
	return &Part{Header: at, Body: at, Type: "text", Subtype: "plain"}
}

// Find returns the part with the given numbers, nil if there is none (RFC 3501
// section 6.4.5: a message that is no multipart has one part, 1).
func (p *Part) Find(path []int) *Part {
	message := true // whether p is a message, not a part of one
	for _, n := range path {
		switch {
		case p.Message != nil && !message:
			p, message = p.Message, true
		case p.Children == nil && !message && !p.Is("multipart", ""):
			return nil
		}
		switch {
		case p.Children == nil && n == 1 && p.Is("multipart", ""):
			p = p.none()
		case p.Children == nil && n == 1:
		case n < 1 || n > len(p.Children):
			return nil
		default:
			p = p.Children[n-1]
		}
		message = false
	}
	return p
}
