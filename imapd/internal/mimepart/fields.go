package mimepart

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// maxRanges bounds what one HEADER.FIELDS is put together from; neighbouring
// fields count once.
const maxRanges = 10000

// Select returns where the fields of a header lie whose names are among names,
// or with not those whose names are not, neighbours as one range. The empty
// line that ends an answer (RFC 3501 section 6.4.5) is not among them.
func Select(src io.ReaderAt, header Range, names []string, not bool) ([]Range, error) {
	l := newLines(src, header.Off, header.End)
	var out []Range
	take := false
	for l.next() {
		if l.fresh {
			line := bytes.TrimRight(l.frag, "\r\n")
			if len(line) == 0 {
				break
			}
			if line[0] != ' ' && line[0] != '\t' {
				take = named(line, names) != not
			}
		}
		if !take {
			continue
		}
		if n := len(out); n > 0 && out[n-1].End == l.start {
			out[n-1].End = l.end()
		} else if n < maxRanges {
			out = append(out, Range{l.start, l.end()})
		}
	}
	return out, l.err
}

func named(line []byte, names []string) bool {
	name, _, _ := bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, " \t")
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, string(name)) })
}
