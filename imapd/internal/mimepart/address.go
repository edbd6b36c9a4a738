package mimepart

import "strings"

// maxAddresses bounds the addresses of one field.
const maxAddresses = 10000

// Address is one address of an ENVELOPE (RFC 3501 section 7.4.2). The end of a
// group has nothing.
type Address struct {
	Group   bool // the start of one, which has only its name, as Mailbox
	Name    string
	Route   string // at-domain-list of RFC 822
	Mailbox string
	Host    string
}

// What Dovecot puts where an address has no mailbox, no domain or something
// else there; NIL would be the notation of a group.
const (
	noMailbox = "MISSING_MAILBOX"
	noHost    = "MISSING_DOMAIN"
	badHost   = "SYNTAX_ERROR"
	badRoute  = "INVALID_ROUTE"
)

// parseAddresses takes an address list apart (RFC 5322 section 3.4, with the
// obsolete syntax of section 4.4), and never fails: what is no address becomes
// one as far as it goes, and the list goes on behind the next separator.
func parseAddresses(s string) []Address {
	t := tokens{s: s}
	out := make([]Address, 0, min(1+strings.Count(s, ","), maxAddresses))
	group := false
	for t.i < len(t.s) && len(out) < maxAddresses {
		a, found := t.address(group)
		if found {
			out = append(out, a)
		}
		switch end := t.separator(); {
		case end == ':' && a.Group:
			group = true
		case end == ';' && group:
			group = false
			out = append(out, Address{})
		case end == ':' && group:
			t.recover()
		}
	}
	if group {
		out = append(out, Address{})
	}
	return out
}

// separator takes what stands behind an address, 0 if that is none.
func (t *tokens) separator() byte {
	if t.i == len(t.s) {
		return 0
	}
	switch c := t.s[t.i]; c {
	case ',', ';', ':':
		t.i++
		return c
	}
	t.recover()
	return t.separator()
}

// recover goes to the next separator of addresses.
func (t *tokens) recover() {
	for t.i < len(t.s) {
		switch t.s[t.i] {
		case ',', ';':
			return
		case '"':
			t.quoted()
		case '(':
			t.comment()
		default:
			t.i++
		}
	}
}

// word is a quoted string or a run of atoms and dots.
type word struct {
	text   string
	quoted bool
}

// address takes an address up to where it ends or breaks off. In front of a
// colon that is the name of a group, except within a group.
func (t *tokens) address(grouped bool) (a Address, found bool) {
	t.note = ""
	var room [usualWords]word
	words, ok := t.words(room[:0])
	a = Address{Name: t.note, Mailbox: noMailbox, Host: noHost}
	end := t.peek()
	switch {
	case !ok:
		return a, true
	case end == ':' && !grouped:
		return Address{Group: true, Mailbox: phrase(words)}, true
	case end == '<':
		t.angle(&a)
		a.Name = t.note
		if len(words) > 0 {
			a.Name = phrase(words)
		}
		return a, true
	case end == '@':
		t.bare(&a, words)
		return a, true
	case len(words) == 0 && (end == 0 || end == ',' || end == ';'):
		return a, false // an empty element of the list (RFC 5322 section 4.4)
	}
	if local, ok := localPart(words); ok {
		a.Mailbox = local
	} else {
		a.Name = phrase(words)
	}
	return a, true
}

// bare takes the rest of an address without brackets; a comment is its name.
func (t *tokens) bare(a *Address, words []word) {
	local, ok := localPart(words)
	if !ok && len(words) > 0 {
		a.Name = phrase(words)
		t.recover()
		return
	}
	if ok {
		a.Mailbox = local
	}
	t.i++ // the @
	if host, ok := t.domain(); ok && host != "" {
		a.Host = host
	}
	a.Name = t.note
}

// angle takes an address in brackets (RFC 5322 sections 3.4 and 4.4).
func (t *tokens) angle(a *Address) {
	t.i++ // the <
	ok := t.blanks()
	if ok && t.peek() == '@' {
		if a.Route, ok = t.route(); !ok {
			a.Route = badRoute
			t.recover()
			return
		}
	}
	var room [usualWords]word
	words, quotes := t.words(room[:0])
	if local, fits := localPart(words); fits {
		a.Mailbox = local
	}
	ok = ok && quotes
	if ok && t.peek() == '@' {
		t.i++
		a.Host, ok = t.domain()
		ok = ok && a.Host != ""
	}
	if ok = ok && t.skip('>'); !ok && (t.i < len(t.s) || a.Host != noHost || len(words) > 0) {
		a.Host = badHost
	}
	t.blanks()
}

// route takes the domains that mail was to go through, with the colon.
func (t *tokens) route() (string, bool) {
	start := t.i
	for t.peek() == '@' {
		t.i++
		if host, ok := t.domain(); !ok || host == "" {
			return "", false
		}
		for t.skip(',') && t.blanks() {
		}
	}
	route := t.s[start:t.i]
	return strings.Join(strings.Fields(route), ""), t.skip(':') && t.blanks()
}

// usualWords is how many words most addresses have in a row.
const usualWords = 4

// words takes words with the blanks and comments between and behind them, in the memory
// of all; ok is false when a quoted string or a comment has no end.
func (t *tokens) words(all []word) (_ []word, ok bool) {
	for {
		if !t.blanks() {
			return all, false
		}
		switch c := t.peek(); {
		case c == '"':
			text, ok := t.quoted()
			if !ok {
				return nil, false
			}
			all = append(all, word{text, true})
		case c == '.' || isAtom(c):
			start := t.i
			for c = t.peek(); c == '.' || isAtom(c); c = t.peek() {
				t.i++
			}
			all = append(all, word{t.s[start:t.i], false})
		default:
			return all, true
		}
	}
}

// domain takes a domain or a domain literal with the blanks and comments around
// it; ok is false when it breaks off.
func (t *tokens) domain() (host string, ok bool) {
	if !t.blanks() {
		return "", false
	}
	if t.peek() == '[' {
		return t.literal()
	}
	var out strings.Builder
	for {
		start := t.i
		for c := t.peek(); isAtom(c) || c == '.' && t.i > start && t.s[t.i-1] != '.'; c = t.peek() {
			t.i++
		}
		labels := t.s[start:t.i]
		if !t.blanks() || labels == "" {
			return "", false
		}
		dot := strings.HasSuffix(labels, ".")
		if !dot && t.peek() != '.' && out.Len() == 0 {
			return labels, true // as nearly all stand
		}
		out.WriteString(labels)
		if dot {
			continue
		}
		if !t.skip('.') {
			return out.String(), true
		}
		out.WriteByte('.')
		if !t.blanks() {
			return "", false
		}
	}
}

// literal takes a domain literal.
func (t *tokens) literal() (string, bool) {
	start := t.i
	for ; t.i < len(t.s); t.i++ {
		switch t.s[t.i] {
		case '\\':
			t.i++
		case ']':
			t.i++
			return t.s[start:t.i], t.blanks()
		}
	}
	t.i = len(t.s)
	return "", false
}

// phrase returns words as a name.
func phrase(words []word) string {
	if len(words) == 1 {
		return words[0].text
	}
	var out strings.Builder
	out.Grow(lengths(words))
	for i, w := range words {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(w.text)
	}
	return out.String()
}

// lengths returns how long words are with a blank behind each.
func lengths(words []word) (n int) {
	for _, w := range words {
		n += len(w.text) + 1
	}
	return n
}

// localPart returns words as a local part. That needs a dot between two of
// them (RFC 5322 section 4.4, obs-local-part).
func localPart(words []word) (string, bool) {
	if len(words) == 1 {
		return words[0].text, words[0].text != ""
	}
	var out strings.Builder
	for i, w := range words {
		if i > 0 && !words[i-1].dotted(len(words[i-1].text)-1) && !w.dotted(0) {
			return "", false
		}
		out.WriteString(w.text)
	}
	return out.String(), out.Len() > 0
}

// dotted reports whether a dot stands at place i.
func (w word) dotted(i int) bool { return !w.quoted && w.text[i] == '.' }

// isAtom reports whether atoms are made of c (RFC 5322 section 3.2.3, RFC 6532
// section 3.2).
func isAtom(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '.', '"', 0x7F:
		return false
	}
	return c > ' '
}
