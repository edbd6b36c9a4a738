package mimepart

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// kind says whose header is read.
type kind int

const (
	kindMessage kind = iota
	kindPart
	kindDigest // a part of a multipart/digest
	kindAny    // of no field is more asked than where it ends
)

// stop says what ended an entity: the delimiter of the enclosing multipart at
// level, or the end of the message (level -1).
type stop struct {
	level int
	last  bool  // a close-delimiter
	at    int64 // where the delimiter's line starts
	feeds int64 // line ends before it
}

// walk is one pass over a message.
type walk struct {
	lines  *lines
	bounds []string // boundaries of the multiparts around, outermost first
	parts  int
	text   int    // bytes of fields kept
	values []byte // of the fields of the present header
	open   bool   // the last of them is that of the field that a line may continue
}

// entity reads a header and its body up to a delimiter of the multiparts
// around it.
func (w *walk) entity(k kind, depth int) (*Part, stop) {
	p := &Part{Type: "text", Subtype: "plain"}
	w.parts++
	end, ended := w.header(p, k)
	p.Body = Range{p.Header.End, p.Header.End}
	if ended {
		if p.holdsMessage() {
			p.Message = p.none()
		}
		return p, end
	}
	feeds := w.lines.feeds
	// Blanks at its end are not the boundary's (RFC 2046 section 5.1.1).
	switch boundary := strings.TrimRight(p.Param("boundary"), " \t"); {
	case depth == maxDepth:
		end = w.skip()
	case p.Is("multipart", "") && boundary != "":
		end = w.multipart(p, boundary, depth)
	case p.holdsMessage():
		p.Message, end = w.entity(kindMessage, depth+1)
	default:
		end = w.skip()
	}
	p.Body.End = end.at
	p.Lines = end.feeds - feeds
	if end.level >= 0 {
		// The line end before a delimiter belongs to it (RFC 2046 section 5.1.1).
		p.Body.End = end.at - 2
		p.Lines = max(p.Lines-1, 0)
		if p.Body.End < p.Body.Off { // it is the header's empty line
			p.Ends--
			at := max(p.Body.End, p.Header.Off)
			p.Header.End, p.Body, p.Blank = at, Range{at, at}, false
		}
	}
	return p, end
}

// multipart reads the body of a multipart.
func (w *walk) multipart(p *Part, boundary string, depth int) stop {
	level := len(w.bounds)
	w.bounds = append(w.bounds, boundary)
	k := kindPart
	if p.Is("multipart", "digest") {
		k = kindDigest
	}
	end := w.skip() // the preamble
	for end.level == level && !end.last && w.parts < maxParts && w.lines.eol {
		var child *Part
		child, end = w.entity(k, depth+1)
		p.Children = append(p.Children, child)
	}
	w.bounds = w.bounds[:level]
	if end.level == level {
		return w.skip() // the epilogue
	}
	return end
}

// skip reads to the next delimiter.
func (w *walk) skip() stop {
	for w.lines.next() {
		if end, ok := w.delimiter(); ok {
			return end
		}
		w.lines.hop()
	}
	return w.eof()
}

func (w *walk) eof() stop { return stop{level: -1, at: w.lines.size, feeds: w.lines.feeds} }

// delimiter reports whether the present line is a delimiter of a multipart
// around: it is enough that it begins with the boundary (RFC 2046 section
// 5.1.1). The longest such boundary counts, of equal ones the innermost.
func (w *walk) delimiter() (stop, bool) {
	l := w.lines
	if len(w.bounds) == 0 || !l.fresh || len(l.frag) < 3 || l.frag[0] != '-' || l.frag[1] != '-' {
		return stop{}, false
	}
	best := -1
	for level, b := range w.bounds {
		if (best < 0 || len(b) >= len(w.bounds[best])) && begins(l.frag[2:], b) {
			best = level
		}
	}
	if best < 0 {
		return stop{}, false
	}
	feeds := l.feeds
	if l.eol {
		feeds--
	}
	return stop{best, begins(l.frag[2+len(w.bounds[best]):], "--"), l.start, feeds}, true
}

func begins(line []byte, s string) bool { return len(line) >= len(s) && string(line[:len(s)]) == s }

// header reads a header and keeps the fields of interest. ended is true when
// the entity ends within it.
func (w *walk) header(p *Part, k kind) (end stop, ended bool) {
	l := w.lines
	p.Header.Off, p.Above = l.end(), l.feeds
	w.values = w.values[:0] // those of the header before are texts by now
	cur := -1               // index of the field that the line may continue
	for l.next() {
		if end, ok := w.delimiter(); ok {
			p.Header.End = max(end.at-2, p.Header.Off)
			p.Ends = max(end.feeds-p.Above-1, 0)
			typeOf(p, k)
			return end, true
		}
		switch line := chomp(l.frag); {
		case !l.fresh || len(line) > 0 && (line[0] == ' ' || line[0] == '\t'):
			w.extend(p, cur, line)
		case len(line) == 0:
			p.Header.End, p.Blank, p.Ends = l.end(), true, l.feeds-p.Above
			typeOf(p, k)
			return stop{}, false
		default:
			cur = w.keep(p, k, line)
		}
	}
	p.Header.End, p.Ends = l.size, l.feeds-p.Above
	typeOf(p, k)
	return w.eof(), true
}

// keep starts a new field and returns its index, -1 if it is not kept.
func (w *walk) keep(p *Part, k kind, line []byte) int {
	if k == kindAny {
		return -1
	}
	name, ok := nameOf(line)
	if !ok || len(name) > maxName {
		return -1
	}
	lower, ok := kept(name, k)
	if !ok || w.text+len(line) > maxText {
		return -1
	}
	w.text += len(line)
	_, value, _ := bytes.Cut(line, []byte(":"))
	if w.values == nil {
		w.values = make([]byte, 0, usualText)
	}
	at := len(w.values)
	w.values = clean(w.values, bytes.TrimLeft(value, " \t"))
	v := w.values[at:len(w.values):len(w.values)]
	if i := p.index(lower); i >= 0 {
		w.open = false
		return p.again(i, v)
	}
	if p.fields == nil && k == kindMessage {
		p.fields = make([]field, 0, usualFields)
	}
	w.open = true
	p.fields = append(p.fields, field{name: lower, value: v})
	return len(p.fields) - 1
}

// usualFields is how many fields are kept of most messages, at most, usualText how long
// they are together, and maxName bounds the names that are looked at.
const (
	usualFields = 12
	usualText   = 1 << 10
	maxName     = 32
)

// again takes a field that stood there before, as field i. The lists of
// addresses are put together (RFC 5322 section 4.5.3 has it so for those of
// recipients). For others no RFC says what to do: as with Dovecot the last
// counts, but the first of most that describe a part.
func (p *Part) again(i int, value []byte) int {
	switch f := &p.fields[i]; {
	case strings.HasPrefix(f.name, "content-") && f.name != "content-disposition":
		return -1
	case isAddressField(f.name):
		f.value = append(append(f.value, ',', ' '), value...)
	default:
		f.value = value
	}
	return i
}

func isAddressField(name string) bool {
	switch name {
	case "from", "sender", "reply-to", "to", "cc", "bcc":
		return true
	}
	return false
}

// extend appends a continuation, unfolded (RFC 5322 section 2.2.3), to a field.
func (w *walk) extend(p *Part, cur int, line []byte) {
	if cur < 0 || w.text+len(line) > maxText {
		return
	}
	w.text += len(line)
	f := &p.fields[cur]
	if !w.open {
		f.value = clean(f.value, line)
		return
	}
	at := len(w.values) - len(f.value)
	w.values = clean(w.values, line)
	f.value = w.values[at:len(w.values):len(w.values)]
}

// clean appends b to dst without what no string of IMAP may hold.
func clean(dst, b []byte) []byte {
	dst = slices.Grow(dst, len(b))
	for _, c := range b {
		switch c {
		case 0:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		case '\r':
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// kept reports whether ENVELOPE, BODYSTRUCTURE or THREAD needs the field, and returns
// its name in lower case.
func kept(name []byte, k kind) (lower string, ok bool) {
	for _, lower := range keptFields() {
		if len(lower) == len(name) && strings.EqualFold(lower, string(name)) {
			return lower, k == kindMessage || strings.HasPrefix(lower, "content-")
		}
	}
	return "", false
}

func keptFields() [19]string {
	return [...]string{
		"date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id", "references",
		"content-type", "content-transfer-encoding", "content-id", "content-description", "content-disposition",
		"content-language", "content-location", "content-md5",
	}
}

// settle makes texts of the values, all in one piece of memory.
func (p *Part) settle() {
	size := 0
	for i := range p.fields {
		f := &p.fields[i]
		f.value = bytes.Trim(f.value, " \t")
		size += len(f.value)
	}
	var all strings.Builder
	all.Grow(size)
	for i := range p.fields {
		f := &p.fields[i]
		at := all.Len()
		all.Write(f.value)
		f.text, f.value = all.String()[at:], nil
	}
}

// typeOf sets the type of a part whose header has been read.
func typeOf(p *Part, k kind) {
	p.settle()
	v, ok := p.Field("content-type")
	if !ok && k == kindDigest {
		p.Type, p.Subtype = "message", "rfc822" // RFC 2046 section 5.1.5
	}
	t := tokens{s: v}
	typ, sub, ok := t.mediaType()
	if !ok {
		return // RFC 2045 section 5.2: what makes no sense is text/plain.
	}
	p.Type, p.Subtype, p.Params = typ, sub, t.params()
}

// mediaType takes a type and a subtype; ok is false when that is not what
// stands there.
func (t *tokens) mediaType() (typ, sub string, ok bool) {
	t.blanks()
	typ = t.token()
	t.blanks()
	if !t.skip('/') {
		return typ, "", false
	}
	t.blanks()
	sub = t.token()
	t.blanks()
	return typ, sub, typ != "" && sub != "" && (t.i == len(t.s) || t.peek() == ';')
}
