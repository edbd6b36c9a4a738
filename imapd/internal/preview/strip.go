package preview

import "strings"

// strip returns the text of HTML: without tags, comments, and what stands in
// elements that are not shown. It follows no rules beyond these, for mail follows
// none.
func strip(s string) string {
	var out strings.Builder
	for {
		text, rest, ok := strings.Cut(s, "<")
		out.WriteString(text)
		if !ok {
			return out.String()
		}
		name, behind := tag(rest)
		switch name {
		case "": // a sign, not a tag
			out.WriteByte('<')
		case "script", "style", "head", "title":
			behind = closing(behind, name)
		case "a", "b", "i", "u", "em", "strong", "span", "font", "/a", "/b", "/i", "/u", "/em", "/strong", "/span", "/font":
		default:
			out.WriteByte(' ')
		}
		s = behind
	}
}

// tag passes a tag or comment behind its sign; name is "" if it is none.
func tag(s string) (name, behind string) {
	if rest, ok := strings.CutPrefix(s, "!--"); ok {
		_, behind, _ = strings.Cut(rest, "-->")
		return "!--", behind
	}
	n := 0
	for n < len(s) && (s[n] == '/' && n == 0 || s[n] == '!' && n == 0 || 'a' <= s[n]|0x20 && s[n]|0x20 <= 'z' || n > 0 && '0' <= s[n] && s[n] <= '9') {
		n++
	}
	if n == 0 || n == 1 && s[0] == '/' {
		return "", s
	}
	_, behind, _ = strings.Cut(s[n:], ">")
	return strings.ToLower(s[:n]), behind
}

// closing passes everything up to the end tag of an element.
func closing(s, name string) string {
	for {
		_, rest, ok := strings.Cut(s, "</")
		if !ok {
			return ""
		}
		if len(rest) >= len(name) && strings.EqualFold(rest[:len(name)], name) {
			_, behind, _ := strings.Cut(rest, ">")
			return behind
		}
		s = rest
	}
}
