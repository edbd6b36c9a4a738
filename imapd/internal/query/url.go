package query

import (
	"net/url"
	"strconv"
	"strings"

	"posthorn/imapd/internal/wire"
)

// MaxURL bounds the octets of a URL.
const MaxURL = 4096

// URL names a message, or a part of one, on the server that reads it (RFC 5092
// section 5).
type URL struct {
	Mailbox  string // UTF-8
	Validity uint32 // 0: whatever it is
	UID      uint32
	Section  Section // with the PARTIAL
}

// ParseURL takes a URL apart. Only absolute paths can name something here: CATENATE
// knows no other servers (RFC 4469 section 3), and relative paths must not be
// accepted (RFC 5092 section 7.2). ok is false for all else.
func ParseURL(text string) (u URL, ok bool) {
	path, absolute := strings.CutPrefix(text, "/")
	if !absolute || strings.HasPrefix(path, "/") || len(text) > MaxURL || strings.ContainsFunc(text, foreign) {
		return u, false
	}
	parts := strings.Split(path, "/;")
	mailbox, validity, given := strings.Cut(parts[0], ";")
	if given {
		u.Validity = parameter(validity, "UIDVALIDITY")
	}
	u.Mailbox, ok = unescape(mailbox)
	if !ok || given && u.Validity == 0 || len(parts) == 1 {
		return u, false
	}
	if u.UID = parameter(parts[1], "UID"); u.UID == 0 {
		return u, false
	}
	return u, u.piece(parts[2:])
}

// foreign reports whether c cannot be in an absolute path (RFC 3986 appendix A).
func foreign(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("\"<>[\\]^`{|}?#", c) }

// unescape undoes percent-encoding; what is empty, or has parameters that nobody
// knows, is not ok.
func unescape(s string) (string, bool) {
	text, err := url.PathUnescape(s)
	return text, err == nil && text != "" && !strings.Contains(s, ";")
}

// parameter returns the number of a parameter, 0 if it has none.
func parameter(text, name string) uint32 {
	key, value, _ := strings.Cut(text, "=")
	n, err := strconv.ParseUint(value, 10, 32)
	if !strings.EqualFold(key, name) || err != nil {
		return 0
	}
	return uint32(n)
}

// piece takes SECTION and PARTIAL, either of which may be missing.
func (u *URL) piece(parts []string) bool {
	if len(parts) > 0 {
		if key, value, _ := strings.Cut(parts[0], "="); strings.EqualFold(key, "SECTION") {
			text, ok := unescape(value)
			if !ok || !u.section(text) {
				return false
			}
			parts = parts[1:]
		}
	}
	switch len(parts) {
	case 0:
		return true
	case 1:
		return u.partial(parts[0])
	}
	return false
}

func (u *URL) section(text string) bool {
	s := wire.NewScanner([]byte("[" + text + "]"))
	var err error
	u.Section, err = parseSection(s)
	return err == nil && !u.Section.Partial && s.End() == nil
}

// partial takes an offset and maybe a size.
func (u *URL) partial(text string) bool {
	key, value, _ := strings.Cut(text, "=")
	offset, size, sized := strings.Cut(value, ".")
	var err error
	u.Section.Partial, u.Section.Max = true, 1<<63-1
	if u.Section.Offset, err = strconv.ParseUint(offset, 10, 63); err != nil {
		return false
	}
	if sized {
		if u.Section.Max, err = strconv.ParseUint(size, 10, 63); err != nil || u.Section.Max == 0 {
			return false
		}
	}
	return strings.EqualFold(key, "PARTIAL")
}
