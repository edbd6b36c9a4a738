package main

import (
	"errors"
	"fmt"
	"strings"

	"posthorn/internal/addr"
)

// mailbox is one address of a header field or of the command line.
type mailbox struct {
	text string // without blanks, comments, names and brackets; may lack a domain
	end  int    // where it ends in what was read
}

// errAddress marks what is no list of addresses.
var errAddress = errors.New("not an address")

// parseList reads a list of addresses (RFC 5322 3.4), and whatever else programs
// write for one: names without a domain, blanks around "@", lists that end in a
// comma. Groups are taken apart, a group may be empty.
func parseList(s string) ([]mailbox, error) {
	p := &listParser{s: s}
	for p.i < len(p.s) {
		if err := p.token(); err != nil {
			return nil, fmt.Errorf("found %.200q: %w", s, err)
		}
	}
	if err := p.finish(); err != nil {
		return nil, fmt.Errorf("found %.200q: %w", s, err)
	}
	return p.found, nil
}

// listParser reads one element after another.
type listParser struct {
	s     string
	i     int
	found []mailbox

	word    []byte // of the element at hand: the address as far as read
	end     int
	gap     bool // blanks or a comment came last
	several bool // words with blanks between them
	angle   bool // within brackets
	closed  bool // behind them
}

// token reads one token.
func (p *listParser) token() error {
	switch c := p.s[p.i]; {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		p.i, p.gap = p.i+1, true
		return nil
	case c == '(':
		p.gap = true
		return p.comment()
	case c == '"':
		return p.enclosed('"')
	case c == '[':
		return p.enclosed(']')
	case c == ',' && !p.angle, c == ';' && !p.angle:
		p.i++
		return p.finish()
	case c == ':' && !p.angle && !p.closed: // what was read names a group
		p.i++
		p.clear()
		return nil
	case c == '<' && !p.angle && !p.closed: // what was read names a person
		p.i++
		p.clear()
		p.angle = true
		return nil
	case c == '>' && p.angle:
		p.i++
		p.angle = false
		return p.close()
	case c == '<' || c == '>' || c == ')' || c == '\\' || c < ' ' || c == 0x7f:
		return errAddress
	}
	p.add(p.s[p.i : p.i+1])
	return nil
}

// comment skips a comment, which may hold others.
func (p *listParser) comment() error {
	depth := 0
	for ; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			p.i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.i++
				return nil
			}
		}
	}
	return fmt.Errorf("a comment has no end: %w", errAddress)
}

// enclosed adds a quoted string or an address literal as it stands.
func (p *listParser) enclosed(last byte) error {
	for j := p.i + 1; j < len(p.s); j++ {
		switch p.s[j] {
		case '\\':
			j++
		case last:
			p.add(p.s[p.i : j+1])
			return nil
		}
	}
	return fmt.Errorf("%q has no end: %w", p.s[p.i], errAddress)
}

// add appends to the address. Blanks may only stand beside "@" and "."
// (RFC 5322 4.4).
func (p *listParser) add(part string) {
	if n := len(p.word); p.gap && n > 0 && !strings.ContainsAny(string(p.word[n-1])+part[:1], "@.:,") {
		p.several = true
	}
	p.word = append(p.word, part...)
	p.i += len(part)
	p.end, p.gap = p.i, false
}

// close takes the address that stood in brackets; "<>" is none.
func (p *listParser) close() error {
	if p.several {
		return errAddress
	}
	if len(p.word) > 0 {
		p.found = append(p.found, mailbox{string(p.word), p.end})
	}
	p.clear()
	p.closed = true
	return nil
}

// finish ends an element.
func (p *listParser) finish() error {
	switch {
	case p.angle:
		return fmt.Errorf("\"<\" has no end: %w", errAddress)
	case p.closed && len(p.word) > 0, p.several:
		return errAddress
	case len(p.word) > 0:
		p.found = append(p.found, mailbox{string(p.word), p.end})
	}
	p.clear()
	p.closed = false
	return nil
}

func (p *listParser) clear() { p.word, p.several, p.gap = p.word[:0], false, false }

// check tells whether smtpd can take the address: the domain is not known yet.
func (m mailbox) check() error {
	if _, rest, err := addr.ParsePathAt("<"+m.text+">", "localhost"); err != nil {
		return fmt.Errorf("found %.200q: %w", m.text, err)
	} else if rest != "" {
		return fmt.Errorf("found %.200q: %w", m.text, errAddress)
	}
	return nil
}

// bare reports whether the address has no domain.
func (m mailbox) bare() bool {
	quoted := false
	for i := 0; i < len(m.text); i++ {
		switch c := m.text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '@' && !quoted:
			return false
		}
	}
	return true
}

// parseMailboxes is parseList for addresses that mail is to go to or come from.
func parseMailboxes(s string) ([]string, error) {
	list, err := parseList(s)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, m := range list {
		if err := m.check(); err != nil {
			return nil, err
		}
		all = append(all, m.text)
	}
	return all, nil
}

// qualify gives the addresses of a field's value their domain. What cannot be
// read stays as it is.
func qualify(value, domain string) string {
	list, err := parseList(value)
	if err != nil {
		return value
	}
	var b strings.Builder
	from := 0
	for _, m := range list {
		if !m.bare() || m.check() != nil {
			continue
		}
		b.WriteString(value[from:m.end] + "@" + domain)
		from = m.end
	}
	return b.String() + value[from:]
}
