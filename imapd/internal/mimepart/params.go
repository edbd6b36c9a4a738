package mimepart

import "strings"

// maxParams bounds the parameters of one field.
const maxParams = 100

// Param is a parameter of Content-Type or Content-Disposition, as written.
type Param struct{ Name, Value string }

// parseParams splits "value; name=value; …" (RFC 2045 section 5.1). What does
// not follow the grammar is left out.
func parseParams(s string) (value string, params []Param) {
	t := tokens{s: s}
	value = strings.TrimSpace(t.until(";"))
	for t.skip(';') && len(params) < maxParams {
		name := strings.TrimSpace(t.until("=;"))
		if !t.skip('=') {
			continue
		}
		v := strings.TrimSpace(t.until(";"))
		if name != "" {
			params = append(params, Param{name, v})
		}
	}
	return value, params
}

// tokens takes a structured field apart (RFC 5322 section 3.2).
type tokens struct {
	s string
	i int
}

func (t *tokens) skip(c byte) bool {
	if t.i < len(t.s) && t.s[t.i] == c {
		t.i++
		return true
	}
	return false
}

// until takes text up to one of the delimiters, without comments and with
// quoted strings unquoted.
func (t *tokens) until(delims string) string {
	var out strings.Builder
	for t.i < len(t.s) {
		switch c := t.s[t.i]; {
		case c == '"':
			out.WriteString(t.quoted())
		case c == '(':
			t.comment()
		case strings.IndexByte(delims, c) >= 0:
			return out.String()
		default:
			out.WriteByte(c)
			t.i++
		}
	}
	return out.String()
}

// quoted takes a quoted string; one without end goes to the end.
func (t *tokens) quoted() string {
	var out strings.Builder
	for t.i++; t.i < len(t.s); t.i++ {
		switch c := t.s[t.i]; {
		case c == '"':
			t.i++
			return out.String()
		case c == '\\' && t.i+1 < len(t.s):
			t.i++
			out.WriteByte(t.s[t.i])
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// comment takes a comment, nested ones included, and returns its text.
func (t *tokens) comment() string {
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
				return out.String()
			}
		}
		out.WriteByte(c)
	}
	return out.String()
}
