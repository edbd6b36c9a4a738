// Package layout says where the text lies in a message that is searched: which
// octets of its file are headers and which are text, of what encoding and charset.
// It is kept in the index, so that a search need not take messages apart.
//
// A layout is foreign bytes as the message is that it was made of: places are
// checked against the file before they are used. Nothing here keeps state.
package layout

import (
	"bytes"
	"encoding/binary"
	"strings"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/mimepart"
)

// maxTexts bounds the texts of a layout. A message of more has none.
const maxTexts = 500

// Kind is what a Text is.
type Kind uint8

// The kinds of texts.
const (
	Message Kind = iota // the header of a message, the outermost or one within
	Part                // the header of another part
	Plain               // text that stands as it is
	Quoted              // in quoted-printable
	Base64
	kinds
)

// Encoding returns the Content-Transfer-Encoding of a text part.
func (k Kind) Encoding() string {
	return [kinds]string{Plain: "8bit", Quoted: "quoted-printable", Base64: "base64"}[k]
}

// Text is a header or a text part.
type Text struct {
	Kind     Kind
	Off, End int64  // in the message with CRLF line ends
	Charset  string // of a part; "" for US-ASCII, UTF-8 and what nobody knows

	above, ends int64 // line ends in front of it and in it
}

// Layout is the texts of a message in the order of the message.
type Layout struct {
	Texts []Text
	size  int64 // with CRLF line ends
	ends  int64 // how many those are
}

// Of returns the layout of a message; ok is false for one of too many parts.
func Of(root *mimepart.Part) (l Layout, ok bool) {
	l.size, l.ends = root.Body.End, root.Ends+root.Lines
	l.message(root)
	return l, len(l.Texts) <= maxTexts
}

// message adds the texts of a message.
func (l *Layout) message(p *mimepart.Part) {
	l.header(Message, p)
	l.body(p)
}

func (l *Layout) header(k Kind, p *mimepart.Part) {
	l.add(Text{Kind: k, Off: p.Header.Off, End: p.Header.End, above: p.Above, ends: p.Ends})
}

// body adds what is in a part: one that is none of text or message, and one whose
// encoding nobody knows, is no text (RFC 2045 section 6.4).
func (l *Layout) body(p *mimepart.Part) {
	if p.Message != nil {
		l.message(p.Message)
		return
	}
	for _, c := range p.Children {
		l.header(Part, c)
		l.body(c)
	}
	k, known := kindOf(p.Encoding())
	if len(p.Children) > 0 || !known || !p.Is("text", "") && !p.Is("message", "") {
		return
	}
	l.add(Text{Kind: k, Off: p.Body.Off, End: p.Body.End, Charset: nameOf(p), above: p.Above + p.Ends, ends: p.Lines})
}

func (l *Layout) add(t Text) {
	if t.Off < t.End && len(l.Texts) <= maxTexts {
		l.Texts = append(l.Texts, t)
	}
}

// kindOf returns what text of a Content-Transfer-Encoding is.
func kindOf(encoding string) (k Kind, known bool) {
	switch strings.ToLower(encoding) {
	case "7bit", "8bit", "binary":
		return Plain, true
	case "quoted-printable":
		return Quoted, true
	case "base64":
		return Base64, true
	}
	return 0, false
}

// nameOf returns the charset of a part as Text has it.
func nameOf(p *mimepart.Part) string {
	name := strings.TrimSpace(p.Param("charset"))
	if e, ok := charset.Lookup(name); !ok || e == nil {
		return ""
	}
	return name
}

// Append appends the layout to b, as Read reads it.
func (l Layout) Append(b []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(l.size)), uint64(l.ends))
	at, above := int64(0), int64(0)
	for _, t := range l.Texts {
		b = append(b, byte(t.Kind))
		for _, n := range []int64{t.Off - at, t.End - t.Off, t.above - above, t.ends} {
			b = binary.AppendUvarint(b, uint64(n))
		}
		if t.Kind >= Plain {
			b = append(binary.AppendUvarint(b, uint64(len(t.Charset))), t.Charset...)
		}
		at, above = t.End, t.above+t.ends
	}
	return b
}

// Read reads what Append appended, which is all of b, into the memory of texts. ok
// is false for what it did not, such as nothing.
func Read(b []byte, texts []Text) (l Layout, ok bool) {
	r := reader{b: b}
	l.size, l.ends, l.Texts = r.number(), r.number(), texts[:0]
	at, above := int64(0), int64(0)
	for len(r.b) > 0 {
		t := Text{Kind: Kind(r.b[0])}
		r.b = r.b[1:]
		t.Off = at + r.number()
		t.End = t.Off + r.number()
		t.above = above + r.number()
		t.ends = r.number()
		if t.Kind >= Plain {
			t.Charset = r.text()
		}
		if t.Kind >= kinds || t.above-above > t.Off-at || t.ends > t.End-t.Off {
			return Layout{}, false // more line ends than octets
		}
		at, above = t.End, t.above+t.ends
		if at > l.size || above > l.ends || len(l.Texts) == maxTexts {
			return Layout{}, false
		}
		l.Texts = append(l.Texts, t)
	}
	return l, !r.failed && l.ends <= l.size
}

// reader takes numbers and texts from b.
type reader struct {
	b      []byte
	failed bool
}

// most bounds numbers, so that sums of them are none below zero.
const most = 1 << 48

func (r *reader) number() int64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > most {
		r.b, r.failed = nil, true
		return 0
	}
	r.b = r.b[size:]
	return int64(n)
}

func (r *reader) text() string {
	n := r.number()
	if n > int64(len(r.b)) {
		r.b, r.failed = nil, true
		return ""
	}
	text := string(r.b[:n])
	r.b = r.b[n:]
	return text
}

// InFile tells where texts lie in the file of a message, which is so large. ok is
// false for a file of both kinds of line ends, or another message.
func (l Layout) InFile(size int64) (f File, ok bool) {
	return File{Bare: size != l.size}, size == l.size || size == l.size-l.ends
}

// File is how a message stands in its file.
type File struct{ Bare bool } // its line ends are LF

// Range returns the octets of the file that are a text.
func (f File) Range(t Text) mimepart.Range {
	if f.Bare {
		return mimepart.Range{Off: t.Off - t.above, End: t.End - t.above - t.ends}
	}
	return mimepart.Range{Off: t.Off, End: t.End}
}

// Append appends octets of the file as the message has them: with CRLF line ends.
func (f File) Append(dst, b []byte) []byte {
	for f.Bare {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		dst, b = append(append(dst, b[:i]...), '\r', '\n'), b[i+1:]
	}
	return append(dst, b...)
}

// Size returns how large a message is with CRLF line ends.
func (l Layout) Size() int64 { return l.size }
