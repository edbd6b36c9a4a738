package mimepart

import "strings"

// maxAddresses bounds the addresses of one field.
const maxAddresses = 10000

// Address is one address of an ENVELOPE (RFC 3501 section 7.4.2). The start of
// a group has only Mailbox, its end nothing.
type Address struct {
	Name    string
	Route   string // at-domain-list of RFC 822
	Mailbox string
	Host    string
}

// What Dovecot puts where an address has no mailbox or no domain; NIL there
// would be the notation of a group.
const (
	noMailbox = "MISSING_MAILBOX"
	noHost    = "MISSING_DOMAIN"
)

// parseAddresses takes an address list apart (RFC 5322 section 3.4, with the
// obsolete routes), and never fails: what is no address becomes one as well as
// it goes.
func parseAddresses(s string) []Address {
	t := tokens{s: s}
	var out []Address
	group := false
	for t.i < len(t.s) && len(out) < maxAddresses {
		a, end := t.address()
		switch end {
		case ':':
			if group {
				out = append(out, Address{})
			}
			group = true
			out = append(out, Address{Mailbox: a.phrase()})
		default:
			if a.found() {
				out = append(out, a.address())
			}
			if end == ';' && group {
				group = false
				out = append(out, Address{})
			}
		}
	}
	if group {
		out = append(out, Address{})
	}
	return out
}

// rawAddress is what stands between two separators.
type rawAddress struct {
	words   []string // outside of the brackets
	at      int      // index of the first word behind an @ outside; 0: none
	comment string
	angle   string // inside of the brackets
	angled  bool
}

func (a rawAddress) found() bool { return len(a.words) > 0 || a.angled }

func (a rawAddress) phrase() string { return strings.Join(a.words, " ") }

// address returns the address; a comment behind it is the name when there is
// no other.
func (a rawAddress) address() Address {
	out := Address{Name: a.comment, Mailbox: noMailbox, Host: noHost}
	local, host := "", ""
	switch {
	case a.angled:
		spec := a.angle
		if len(a.words) > 0 {
			out.Name = a.phrase()
		}
		if strings.HasPrefix(spec, "@") {
			if route, rest, ok := strings.Cut(spec, ":"); ok {
				out.Route, spec = route, rest
			}
		}
		local = spec
		if i := strings.LastIndexByte(spec, '@'); i >= 0 {
			local, host = spec[:i], spec[i+1:]
		}
	case a.at > 0:
		local, host = strings.Join(a.words[:a.at-1], ""), strings.Join(a.words[a.at-1:], "")
	default:
		local = a.phrase()
	}
	if local != "" {
		out.Mailbox = local
	}
	if host != "" {
		out.Host = host
	}
	return out
}

// address takes one address or the name of a group, and the separator behind
// it (0 at the end).
func (t *tokens) address() (a rawAddress, end byte) {
	for t.i < len(t.s) {
		switch c := t.s[t.i]; c {
		case ',', ';':
			t.i++
			return a, c
		case ':':
			if t.i++; !a.angled {
				return a, c
			}
		case '(':
			a.comment = strings.TrimSpace(t.comment())
		case '<':
			t.i++
			a.angle, a.angled = t.angle(), true
		case '@':
			if t.i++; a.at == 0 {
				a.at = len(a.words) + 1
			}
		case '"':
			a.words = append(a.words, t.quoted())
		case ' ', '\t', '>':
			t.i++
		default:
			a.words = append(a.words, t.word())
		}
	}
	return a, 0
}

// angle takes what is in brackets, without blanks and comments.
func (t *tokens) angle() string {
	var out strings.Builder
	for t.i < len(t.s) {
		switch c := t.s[t.i]; c {
		case '>':
			t.i++
			return out.String()
		case '"':
			out.WriteString(t.quoted())
		case '(':
			t.comment()
		case ' ', '\t':
			t.i++
		default:
			out.WriteByte(c)
			t.i++
		}
	}
	return out.String()
}

// word takes a run of what stands for itself; dots belong to it, and so does a
// domain literal with its colons.
func (t *tokens) word() string {
	start := t.i
	for literal := false; t.i < len(t.s); t.i++ {
		switch c := t.s[t.i]; {
		case c == '[':
			literal = true
		case c == ']':
			literal = false
		case c == ':' && literal:
		case strings.IndexByte(",;:(<>@\" \t", c) >= 0:
			return t.s[start:t.i]
		}
	}
	return t.s[start:t.i]
}
