package mimepart

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// maxParams bounds the parameters of one field.
const maxParams = 100

// Param is a parameter of Content-Type or Content-Disposition, as written but
// for continuations, which are put together.
type Param struct{ Name, Value string }

// params takes the parameters behind a value (RFC 2045 section 5.1). What is no
// parameter is left out.
func (t *tokens) params() []Param {
	var all []Param
	for len(all) < maxParams && t.behind(';') {
		t.blanks()
		name := t.token()
		t.blanks()
		if name == "" || !t.skip('=') {
			continue
		}
		t.blanks()
		if v, ok := t.paramValue(); ok {
			all = append(all, Param{name, v})
		}
	}
	return join(all)
}

// behind goes behind the next c outside of quotes and comments.
func (t *tokens) behind(c byte) bool {
	for t.i < len(t.s) {
		switch t.s[t.i] {
		case c:
			t.i++
			return true
		case '"':
			t.quoted()
		case '(':
			t.comment()
		default:
			t.i++
		}
	}
	return false
}

// paramValue takes a quoted string or what should have been one: a word that
// holds marks a token may not have is taken whole.
func (t *tokens) paramValue() (string, bool) {
	if t.peek() == '"' {
		return t.quoted()
	}
	start := t.i
	for t.i < len(t.s) && strings.IndexByte("; \t\r\n(\"", t.s[t.i]) < 0 {
		t.i++
	}
	return t.s[start:t.i], true
}

// token takes a token of RFC 2045 section 5.1.
func (t *tokens) token() string {
	start := t.i
	for t.i < len(t.s) && isToken(t.s[t.i]) {
		t.i++
	}
	return t.s[start:t.i]
}

func isToken(c byte) bool {
	return c > ' ' && c != 0x7F && strings.IndexByte("()<>@,;:\\\"/[]?=", c) < 0
}

// section is a piece of a parameter that goes on (RFC 2231 section 3).
type section struct {
	Param
	base  string // the name without its number, in lower case
	name  string // the same as written
	star  bool   // written with a charset or %
	index int
}

// join puts continuations together, as a server has to (RFC 2231 section 6);
// charset and language stay as they are written. Pieces whose numbers have gaps
// stay pieces.
func join(all []Param) []Param {
	var plain []Param
	var pieces []section
	for _, p := range all {
		if s, ok := pieceOf(p); ok {
			pieces = append(pieces, s)
		} else {
			plain = append(plain, p)
		}
	}
	slices.SortStableFunc(pieces, func(a, b section) int {
		return cmp.Or(strings.Compare(a.base, b.base), cmp.Compare(a.index, b.index))
	})
	for len(pieces) > 0 {
		n := 1
		for n < len(pieces) && pieces[n].base == pieces[0].base {
			n++
		}
		plain = append(plain, joined(pieces[:n])...)
		pieces = pieces[n:]
	}
	return plain
}

// pieceOf sorts out a name such as "title*1*".
func pieceOf(p Param) (section, bool) {
	base, rest, ok := strings.Cut(p.Name, "*")
	if !ok {
		return section{}, false
	}
	number, star := strings.CutSuffix(rest, "*")
	n, err := strconv.ParseUint(number, 10, 16)
	return section{p, strings.ToLower(base), base, star, int(n)}, ok && err == nil
}

// joined returns the pieces of one parameter as one, if none is missing.
func joined(pieces []section) []Param {
	whole := true
	name := pieces[0].name
	var apart []Param
	var value strings.Builder
	for i, p := range pieces {
		apart = append(apart, p.Param)
		value.WriteString(p.Value)
		whole = whole && p.index == i
		if p.star && !strings.HasSuffix(name, "*") {
			name += "*"
		}
	}
	if !whole {
		return apart
	}
	return []Param{{name, value.String()}}
}

// tokens takes a structured field apart (RFC 5322 section 3.2).
type tokens struct {
	s    string
	i    int
	note string // the last comment that blanks passed
}

// peek returns the next byte, 0 at the end.
func (t *tokens) peek() byte {
	if t.i < len(t.s) {
		return t.s[t.i]
	}
	return 0
}

func (t *tokens) skip(c byte) bool {
	if t.i < len(t.s) && t.s[t.i] == c {
		t.i++
		return true
	}
	return false
}

// blanks passes blanks and comments; false when a comment has no end.
func (t *tokens) blanks() bool {
	for t.i < len(t.s) {
		switch t.s[t.i] {
		case ' ', '\t', '\r', '\n':
			t.i++
		case '(':
			text, ok := t.comment()
			if !ok {
				return false
			}
			t.note = strings.TrimSpace(text)
		default:
			return true
		}
	}
	return true
}

// quoted takes a quoted string; false when it has no end.
func (t *tokens) quoted() (string, bool) {
	var out strings.Builder
	for t.i++; t.i < len(t.s); t.i++ {
		switch c := t.s[t.i]; {
		case c == '"':
			t.i++
			return out.String(), true
		case c == '\\' && t.i+1 < len(t.s):
			t.i++
			out.WriteByte(t.s[t.i])
		default:
			out.WriteByte(c)
		}
	}
	return "", false
}

// comment takes a comment, nested ones included, and returns its text; false
// when it has no end.
func (t *tokens) comment() (string, bool) {
	var out strings.Builder
	depth := 0
	for ; t.i < len(t.s); t.i++ {
		c := t.s[t.i]
		switch {
		case c == '\\' && t.i+1 < len(t.s):
			t.i++
			c = t.s[t.i]
		case c == '(':
			if depth++; depth == 1 {
				continue
			}
		case c == ')':
			if depth--; depth == 0 {
				t.i++
				return out.String(), true
			}
		}
		out.WriteByte(c)
	}
	return "", false
}
