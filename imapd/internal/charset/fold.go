package charset

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold returns text such that texts that differ in case, in width or in how
// their accents are written become equal, as i;unicode-casemap has it (RFC 5051
// section 2): title case, then decomposed.
func Fold(s string) string { return string(AppendFold(make([]byte, 0, len(s)+len(s)/8), s)) }

// AppendFold appends what Fold returns to dst.
func AppendFold(dst []byte, s string) []byte {
	out := dst
	var last uint8 // combining class of what stands at the end of out
	ordered := true
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			out, last = append(out, c), 0
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		start := len(out)
		out = utf8.AppendRune(out, unicode.ToTitle(r))
		p := norm.NFKD.Properties(out[start:])
		// Hangul has no table, and marks may want another order.
		ordered = ordered && (p.LeadCCC() == 0 || p.LeadCCC() >= last) && !unicode.Is(unicode.Hangul, r)
		if d := p.Decomposition(); d != nil {
			out = append(out[:start], d...)
		}
		last = p.TrailCCC()
	}
	if !ordered {
		return append(dst, norm.NFKD.String(string(out[len(dst):]))...)
	}
	return out
}
