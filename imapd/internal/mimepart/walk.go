package mimepart

import (
	"bytes"
	"strings"
)

// kind says whose header is read.
type kind int

const (
	kindMessage kind = iota
	kindPart
	kindDigest // a part of a multipart/digest
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
	text   int // bytes of fields kept
}

// entity reads a header and its body up to a delimiter of the multiparts
// around it.
func (w *walk) entity(k kind, depth int) (*Part, stop) {
	p := &Part{Type: "text", Subtype: "plain"}
	w.parts++
	end, ended := w.header(p, k)
	p.Body = Range{p.Header.End, p.Header.End}
	if ended {
		return p, end
	}
	feeds := w.lines.feeds
	switch boundary := p.Param("boundary"); {
	case depth == maxDepth:
		end = w.skip()
	case p.Is("multipart", "") && boundary != "":
		end = w.multipart(p, boundary, depth)
	case p.Is("message", "rfc822"):
		p.Message, end = w.entity(kindMessage, depth+1)
	default:
		end = w.skip()
	}
	p.Body.End = end.at
	p.Lines = end.feeds - feeds
	if end.level >= 0 && end.at > p.Body.Off {
		// The line end before a delimiter belongs to it (RFC 2046 section 5.1.1).
		p.Body.End = max(end.at-2, p.Body.Off)
		p.Lines--
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
	for end.level == level && !end.last && w.parts < maxParts {
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
	}
	return w.eof()
}

func (w *walk) eof() stop { return stop{level: -1, at: w.lines.size, feeds: w.lines.feeds} }

// delimiter reports whether the present line is a delimiter of a multipart
// around, the innermost first.
func (w *walk) delimiter() (stop, bool) {
	l := w.lines
	if len(w.bounds) == 0 || !l.fresh || len(l.frag) < 3 || l.frag[0] != '-' || l.frag[1] != '-' {
		return stop{}, false
	}
	line := bytes.TrimRight(l.frag[2:], " \t\r\n")
	for level := len(w.bounds) - 1; level >= 0; level-- {
		rest, ok := bytes.CutPrefix(line, []byte(w.bounds[level]))
		if !ok || len(rest) != 0 && string(rest) != "--" {
			continue
		}
		feeds := l.feeds
		if l.eol {
			feeds--
		}
		return stop{level, len(rest) > 0, l.start, feeds}, true
	}
	return stop{}, false
}

// header reads a header and keeps the fields of interest. ended is true when
// the entity ends within it.
func (w *walk) header(p *Part, k kind) (end stop, ended bool) {
	l := w.lines
	p.Header.Off = l.end()
	cur := -1 // index of the field that the line may continue
	for l.next() {
		if end, ok := w.delimiter(); ok {
			p.Header.End = max(end.at-2, p.Header.Off)
			typeOf(p, k)
			return end, true
		}
		switch line := bytes.TrimRight(l.frag, "\r\n"); {
		case !l.fresh || len(line) > 0 && (line[0] == ' ' || line[0] == '\t'):
			w.extend(p, cur, line)
		case len(line) == 0:
			p.Header.End = l.end()
			typeOf(p, k)
			return stop{}, false
		default:
			cur = w.keep(p, k, line)
		}
	}
	p.Header.End = l.size
	typeOf(p, k)
	return w.eof(), true
}

// keep starts a new field and returns its index, -1 if it is not kept.
func (w *walk) keep(p *Part, k kind, line []byte) int {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) > 32 {
		return -1
	}
	lower := strings.ToLower(string(bytes.TrimRight(name, " \t")))
	if !kept(lower, k) || w.text+len(line) > maxText {
		return -1
	}
	if _, again := p.Field(lower); again {
		return -1
	}
	w.text += len(line)
	p.fields = append(p.fields, field{lower, clean(nil, bytes.TrimLeft(value, " \t"))})
	return len(p.fields) - 1
}

// extend appends a continuation, unfolded (RFC 5322 section 2.2.3), to a field.
func (w *walk) extend(p *Part, cur int, line []byte) {
	if cur < 0 || w.text+len(line) > maxText {
		return
	}
	w.text += len(line)
	p.fields[cur].value = clean(p.fields[cur].value, line)
}

// clean appends b to dst without what no string of IMAP may hold.
func clean(dst, b []byte) []byte {
	for _, c := range b {
		if c == 0 || c == '\r' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

// kept reports whether ENVELOPE or BODYSTRUCTURE needs the field.
func kept(name string, k kind) bool {
	switch name {
	case "content-type", "content-transfer-encoding", "content-id", "content-description",
		"content-disposition", "content-language", "content-location", "content-md5":
		return true
	case "date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id":
		return k == kindMessage
	}
	return false
}

// typeOf sets the type of a part whose header has been read.
func typeOf(p *Part, k kind) {
	for i, f := range p.fields {
		p.fields[i].value = bytes.Trim(f.value, " \t")
	}
	v, ok := p.Field("content-type")
	if !ok && k == kindDigest {
		p.Type, p.Subtype = "message", "rfc822" // RFC 2046 section 5.1.5
	}
	value, params := parseParams(v)
	typ, sub, _ := strings.Cut(value, "/")
	typ, sub = strings.TrimSpace(typ), strings.TrimSpace(sub)
	if typ == "" || sub == "" {
		return // RFC 2045 section 5.2: what makes no sense is text/plain.
	}
	p.Type, p.Subtype, p.Params = typ, sub, params
}
