package mimepart

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// MaxRanges bounds what one HEADER.FIELDS is put together from; neighbouring
// fields count once.
const MaxRanges = 10000

// Select returns where the fields of a header lie whose names are among names,
// or with not those whose names are not, neighbours as one range. The empty
// line that ends an answer (RFC 3501 section 6.4.5) is not among them.
func Select(src io.ReaderAt, header Range, names []string, not bool) ([]Range, error) {
	among := func(name []byte) bool {
		return slices.ContainsFunc(names, func(n string) bool { return len(n) == len(name) && strings.EqualFold(n, string(name)) })
	}
	return SelectFunc(src, header, among, not)
}

// SelectFunc is Select of the fields of whose names among holds.
func SelectFunc(src io.ReaderAt, header Range, among func(name []byte) bool, not bool) ([]Range, error) {
	l := newLines(src, header.Off, header.End)
	var out []Range
	take := not // what stands before the first field is none of those named
	for l.next() {
		if l.fresh {
			line := chomp(l.frag)
			if len(line) == 0 {
				break
			}
			if line[0] != ' ' && line[0] != '\t' {
				name, ok := nameOf(line)
				take = (ok && among(name)) != not
			}
		}
		if !take {
			continue
		}
		if n := len(out); n > 0 && out[n-1].End == l.start {
			out[n-1].End = l.end()
		} else if n < MaxRanges {
			out = append(out, Range{l.start, l.end()})
		}
	}
	return out, l.err
}

// maxField bounds what EachField passes of one field.
const maxField = 2 << 20

// EachField calls found with each field of a range of a header, without its line
// end, until it returns true or the empty line comes; it reports whether one did.
// A folded field is passed twice: unfolded (RFC 5322 section 2.2.3), and with one
// space where it was folded, which is all that its writer may have had there.
func EachField(src io.ReaderAt, r Range, found func(field string) bool) (bool, error) {
	l := newLines(src, r.Off, r.End)
	var field, spaced []byte
	have := func() bool {
		return len(field) > 0 && found(string(field)) || len(spaced) > 0 && found(string(spaced))
	}
	for l.next() {
		line := chomp(l.frag)
		if l.fresh && len(line) == 0 {
			break
		}
		switch folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t'); {
		case l.fresh && !folded:
			if have() {
				return true, nil
			}
			field, spaced = field[:0], spaced[:0]
		case l.fresh:
			if len(spaced) == 0 {
				spaced = append(spaced, field...)
			}
			spaced = upTo(maxField, bytes.TrimRight(spaced, " \t"), []byte(" "))
			spaced = upTo(maxField, spaced, bytes.TrimLeft(line, " \t"))
		case len(spaced) > 0:
			spaced = upTo(maxField, spaced, line)
		}
		field = upTo(maxField, field, line)
	}
	return l.err == nil && have(), l.err
}

// upTo appends what fits.
func upTo(size int, dst, b []byte) []byte {
	return append(dst, b[:min(len(b), max(size-len(dst), 0))]...)
}

// nameOf returns the name of the field that a line begins.
func nameOf(line []byte) (name []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return nil, false
	}
	for i > 0 && (line[i-1] == ' ' || line[i-1] == '\t') {
		i--
	}
	return line[:i], true
}
