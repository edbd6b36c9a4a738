package main

import (
	"io"
	"strings"

	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// parts is an open message as far as a FETCH needs it taken apart.
type parts struct {
	src   io.ReaderAt
	size  int64
	root  *mimepart.Part // nil when only the whole message is asked for
	close func()

	preview string
	answers []section // by index in the FETCH's sections
}

func (p *parts) writeEnvelope(f *fetcher) { p.root.Envelope(f.w) }

// writeStructure writes a BODY or BODYSTRUCTURE.
func (p *parts) writeStructure(f *fetcher, extended bool) {
	if f.utf8 {
		p.root.StructureRev2(f.w, extended) // RFC 9051 section 7.5.2, RFC 9755 section 6
		return
	}
	p.root.Structure(f.w, extended)
}

func (p *parts) writeSection(f *fetcher, i int) { p.answers[i].write(f.w, p.src) }

// section is the answer for one section: octets of the message, and maybe an
// empty line that is none of its.
type section struct {
	none   bool // there is no such part: NIL
	ranges []mimepart.Range
	tail   string // what follows them

	content *content // of BINARY, instead of all this
}

// sections finds the octets of all sections.
func (p *parts) sections(wanted []query.Section) ([]section, error) {
	var out []section
	for _, q := range wanted {
		a, err := p.section(q)
		if err != nil {
			return nil, err
		}
		if q.Partial && a.content == nil {
			a.cut(q.Piece())
		}
		out = append(out, a)
	}
	return out, nil
}

func (p *parts) section(q query.Section) (section, error) {
	var a section
	if q.Kind == query.Decoded || q.Kind == query.DecodedSize {
		var err error
		a.content, err = p.content(q)
		a.none = a.content == nil
		return a, err
	}
	if len(q.Path) == 0 && q.Kind == query.Whole {
		a.ranges = []mimepart.Range{{Off: 0, End: p.size}}
		return a, nil
	}
	part := p.root.Find(q.Path)
	if part != nil && len(q.Path) > 0 && q.Kind != query.Whole && q.Kind != query.MIME {
		part = part.Message // HEADER and TEXT are those of a message/rfc822 (RFC 3501 section 6.4.5)
	}
	if part == nil {
		a.none = true
		return a, nil
	}
	switch q.Kind {
	case query.Header, query.MIME:
		a.ranges = []mimepart.Range{part.Header}
	case query.Fields, query.FieldsNot:
		ranges, err := mimepart.Select(p.src, part.Header, q.Fields, q.Kind == query.FieldsNot)
		a.ranges = ranges
		if part.Blank || part.Body.Len() > 0 { // RFC 3501 section 6.4.5: else there is no empty line to include
			a.tail = "\r\n"
		}
		return a, err
	default:
		a.ranges = []mimepart.Range{part.Body}
	}
	return a, nil
}

// size returns the octets of the answer.
func (a *section) size() int64 { return length(a.ranges) + int64(len(a.tail)) }

func length(ranges []mimepart.Range) int64 {
	var n int64
	for _, r := range ranges {
		n += r.Len()
	}
	return n
}

// cut reduces the answer to max octets from offset on; an offset behind its end
// leaves nothing (RFC 3501 section 6.4.5).
func (a *section) cut(offset, most int64) {
	before, whole := length(a.ranges), int64(len(a.tail))
	a.ranges = cutRanges(a.ranges, offset, most)
	from := min(max(offset-before, 0), whole)
	to := min(max(offset+most-before, from), whole)
	a.tail = a.tail[from:to]
}

func cutRanges(ranges []mimepart.Range, offset, most int64) []mimepart.Range {
	var out []mimepart.Range
	for _, r := range ranges {
		skip := min(offset, r.Len())
		offset -= skip
		r.Off += skip
		r.End = r.Off + min(most, r.Len())
		most -= r.Len()
		if r.Len() > 0 {
			out = append(out, r)
		}
	}
	return out
}

// reader returns the octets of the answer.
func (a *section) reader(src io.ReaderAt) io.Reader {
	var pieces []io.Reader
	for _, r := range a.ranges {
		pieces = append(pieces, io.NewSectionReader(src, r.Off, r.Len()))
	}
	return io.MultiReader(append(pieces, strings.NewReader(a.tail))...)
}

// write writes the answer as a literal.
func (a *section) write(w *wire.Writer, src io.ReaderAt) {
	if a.none {
		w.Raw("NIL")
		return
	}
	if a.content != nil {
		a.content.write(w, src)
		return
	}
	w.Literal(a.size())
	for _, r := range a.ranges {
		w.Copy(src, r.Off, r.Len())
	}
	w.Raw(a.tail)
}
