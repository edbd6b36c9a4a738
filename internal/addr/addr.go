// Package addr is the only parser of mail addresses: RFC 5321 paths and
// mailboxes with quoted local parts, address literals and, by RFC 6531, UTF-8.
package addr

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Limits of RFC 5321 4.5.3.1, in bytes.
const (
	MaxLocal  = 64
	MaxDomain = 255
	MaxPath   = 256 + 256 // twice the RFC's, for UTF-8 and what senders make of it
)

// Address is a mailbox. The zero Address is the null sender <>.
type Address struct {
	Local  string // decoded: without quotes and backslashes
	Domain string // lower-case A-labels, or a literal such as "[192.0.2.1]"; "" only for <> and <Postmaster>
}

// Errors of the parsers; they say what is wrong and repeat no input.
var (
	ErrEmpty   = errors.New("address is empty")
	ErrLocal   = errors.New("local part is not valid")
	ErrDomain  = errors.New("domain is not valid")
	ErrLiteral = errors.New("address literal is not valid")
	ErrNoAt    = errors.New("address has no domain")
	ErrPath    = errors.New("path must be an address in angle brackets")
	ErrLong    = errors.New("address is too long")
)

// Parse reads an address without brackets, such as ann@example.org or
// "ann smith"@example.org. It wants a domain.
func Parse(s string) (Address, error) {
	if s == "" {
		return Address{}, ErrEmpty
	}
	if len(s) > MaxPath {
		return Address{}, ErrLong
	}
	local, rest, err := parseLocal(s)
	if err != nil {
		return Address{}, err
	}
	if rest == "" {
		return Address{}, ErrNoAt
	}
	if rest[0] != '@' {
		return Address{}, ErrLocal
	}
	domain, err := ParseDomain(rest[1:])
	if err != nil {
		return Address{}, err
	}
	return Address{local, domain}, nil
}

// ParsePath reads the path at the start of s, "<…>", and returns what follows
// it. <> gives the null sender, <Postmaster> an address without domain
// (RFC 5321 4.1.1.3); a source route is read and ignored (RFC 5321 C).
func ParsePath(s string) (a Address, rest string, err error) { return ParsePathAt(s, "") }

// ParsePathAt is ParsePath for paths that need name no domain: a mailbox without
// one is at domain, unless that is "".
func ParsePathAt(s, domain string) (a Address, rest string, err error) {
	if s == "" || s[0] != '<' {
		return Address{}, s, ErrPath
	}
	end, err := pathEnd(s)
	if err != nil {
		return Address{}, s, err
	}
	inner, rest := s[1:end], s[end+1:]
	if inner == "" {
		return Address{}, rest, nil
	}
	if strings.EqualFold(inner, "postmaster") {
		return Address{"postmaster", domain}, rest, nil
	}
	if inner[0] == '@' {
		if inner, err = dropRoute(inner); err != nil {
			return Address{}, s, err
		}
	}
	a, err = Parse(inner)
	if errors.Is(err, ErrNoAt) && domain != "" {
		a, err = Parse(inner + "@" + domain)
	}
	return a, rest, err
}

// pathEnd finds the bracket that closes the path, past quoted strings.
func pathEnd(s string) (int, error) {
	quoted := false
	for i := 1; i < len(s) && i <= 2*MaxPath; i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			return i, nil
		}
	}
	return 0, ErrPath
}

// dropRoute removes "@a,@b:" in front of a mailbox.
func dropRoute(s string) (string, error) {
	route, mailbox, ok := strings.Cut(s, ":")
	if !ok {
		return "", ErrPath
	}
	for hop := range strings.SplitSeq(route, ",") {
		if !strings.HasPrefix(hop, "@") {
			return "", ErrPath
		}
		if _, err := ParseDomain(hop[1:]); err != nil {
			return "", err
		}
	}
	return mailbox, nil
}

// parseLocal reads the local part, decoded, and returns what follows it.
func parseLocal(s string) (local, rest string, err error) {
	if s[0] == '"' {
		local, rest, err = parseQuoted(s)
	} else {
		local, rest, err = parseDotted(s)
	}
	if err == nil && (len(local) > MaxLocal || !utf8.ValidString(local) || strings.ContainsFunc(local, isC1)) {
		err = ErrLocal
	}
	return local, rest, err
}

// isC1 reports a control beyond ASCII, which is no character of a name.
func isC1(r rune) bool { return r >= 0x80 && r < 0xa0 }

// parseDotted reads a Dot-string (RFC 5321 4.1.2).
func parseDotted(s string) (local, rest string, err error) {
	end := strings.IndexByte(s, '@')
	if end < 0 {
		end = len(s)
	}
	for atom := range strings.SplitSeq(s[:end], ".") {
		if atom == "" || strings.ContainsFunc(atom, notAtext) {
			return "", "", ErrLocal
		}
	}
	return s[:end], s[end:], nil
}

// notAtext reports what may not stand in an atom (RFC 5322 3.2.3, RFC 6531 3.3).
func notAtext(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	case r >= 0x80:
		return isC1(r) || r == utf8.RuneError
	}
	return !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// parseQuoted reads a Quoted-string (RFC 5321 4.1.2). Controls stay forbidden
// behind a backslash too.
func parseQuoted(s string) (local, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			if b.Len() == 0 {
				return "", "", ErrLocal
			}
			return b.String(), s[i+1:], nil
		case c == '\\':
			if i++; i == len(s) || s[i] < ' ' || s[i] > '~' {
				return "", "", ErrLocal
			}
			b.WriteByte(s[i])
		case c < ' ' || c == 0x7f:
			return "", "", ErrLocal
		default:
			b.WriteByte(c)
		}
	}
	return "", "", ErrLocal
}

// ParseDomain returns the canonical form of a domain or address literal: lower
// case, A-labels (RFC 5890), no final dot accepted.
func ParseDomain(s string) (string, error) {
	switch {
	case s == "" || len(s) > MaxDomain:
		return "", ErrDomain
	case s[0] == '[':
		return parseLiteral(s)
	}
	ascii := strings.ToLower(s)
	if !isASCII(s) {
		var err error
		if ascii, err = idna.Lookup.ToASCII(s); err != nil || len(ascii) > MaxDomain {
			return "", ErrDomain
		}
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if !validLabel(label) {
			return "", ErrDomain
		}
	}
	return ascii, nil
}

// validLabel holds RFC 5321's sub-domain, and the underscore that is in use.
func validLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// parseLiteral reads an address literal (RFC 5321 4.1.3) and writes it in one
// way, so that equal addresses are equal strings.
func parseLiteral(s string) (string, error) {
	if len(s) < 3 || s[len(s)-1] != ']' {
		return "", ErrLiteral
	}
	inner := s[1 : len(s)-1]
	if len(inner) > 5 && strings.EqualFold(inner[:5], "IPv6:") {
		ip, err := netip.ParseAddr(inner[5:])
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", ErrLiteral
		}
		return "[IPv6:" + ip.String() + "]", nil
	}
	ip, err := netip.ParseAddr(inner)
	if err != nil || !ip.Is4() {
		return "", ErrLiteral
	}
	return "[" + ip.String() + "]", nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// IsNull reports whether a is the null sender <>.
func (a Address) IsNull() bool { return a == Address{} }

// UTF8 reports whether a can only be sent with SMTPUTF8 (RFC 6531).
func (a Address) UTF8() bool { return !isASCII(a.Local) }

// IP returns the address of an address literal.
func (a Address) IP() (netip.Addr, bool) {
	if a.Domain == "" || a.Domain[0] != '[' {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(strings.TrimPrefix(a.Domain[1:len(a.Domain)-1], "IPv6:"))
	return ip, err == nil
}

// String returns the address as it goes into a path or header: quoted again
// where the local part needs it, "" for the null sender.
func (a Address) String() string {
	switch {
	case a.IsNull():
		return ""
	case a.Domain == "":
		return quoteLocal(a.Local)
	}
	return quoteLocal(a.Local) + "@" + a.Domain
}

// quoteLocal writes a local part as a Dot-string where it is one.
func quoteLocal(s string) string {
	if s != "" && !strings.Contains(s, "@") {
		if _, _, err := parseDotted(s); err == nil {
			return s
		}
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

// Key returns the address in the form in which tables are searched: String in
// lower case, and what is UTF-8 in it in Normalization Form C, for nobody sees on
// a screen how a letter was put together (RFC 6532 3.1, RFC 8265 3.3).
func (a Address) Key() string {
	s := strings.ToLower(a.String())
	if isASCII(s) {
		return s
	}
	return norm.NFC.String(s)
}

// Detail splits the local part at the first of delims that stands behind its
// first character: user+detail. Without one, detail is "".
func (a Address) Detail(delims string) (user, detail string) {
	if a.Local == "" || delims == "" {
		return a.Local, ""
	}
	i := strings.IndexAny(a.Local[1:], delims)
	if i < 0 {
		return a.Local, ""
	}
	return a.Local[:i+1], a.Local[i+2:]
}

// ParseOrNull is Parse, with "" for the null sender: the form that String
// writes and our own files and protocols hold.
func ParseOrNull(s string) (Address, error) {
	if s == "" {
		return Address{}, nil
	}
	if strings.EqualFold(s, "postmaster") {
		return Address{Local: "postmaster"}, nil
	}
	a, err := Parse(s)
	if err != nil {
		return Address{}, fmt.Errorf("%.100q: %w", s, err)
	}
	return a, nil
}
