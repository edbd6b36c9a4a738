package mimepart

import "strings"

// Format writes addresses as a header has them, each with brackets: what FROM,
// TO, CC and BCC of SEARCH look at is the envelope (RFC 3501 section 6.4.4), so
// that blanks, comments and superfluous quotes of a header do not count.
func Format(list []Address) string {
	var out strings.Builder
	sep, next := "", ", "
	for _, a := range list {
		switch {
		case a.Group:
			write(&out, sep, asPhrase(a.Mailbox, true), ": ")
			sep = ""
			continue
		case a.Mailbox == "":
			out.WriteString(";")
			sep = next
			continue
		}
		write(&out, sep)
		sep = next
		if a.Name != "" {
			write(&out, asPhrase(a.Name, true), " ")
		}
		write(&out, "<", routed(a.Route), present(asPhrase(a.Mailbox, false), noMailbox), "@", present(a.Host, noHost), ">")
	}
	return out.String()
}

func write(out *strings.Builder, parts ...string) {
	for _, s := range parts {
		out.WriteString(s)
	}
}

func routed(route string) string {
	if route == "" {
		return ""
	}
	return route + ":"
}

// present returns s unless it stands for something missing.
func present(s, missing string) string {
	if s == missing {
		return ""
	}
	return s
}

// asPhrase quotes s unless it is an atom, or holds encoded words; with dots they have
// to be quoted.
func asPhrase(s string, dots bool) string {
	switch {
	case s == "":
		return `""`
	case strings.Contains(s, "=?"):
		return s
	}
	for i := 0; i < len(s); i++ {
		if !isAtom(s[i]) && (s[i] != '.' || dots) {
			return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
		}
	}
	return s
}
