package dsn

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseEnvid decodes ENVID: printable ASCII as xtext (RFC 3461 4.4).
func ParseEnvid(s string) (string, error) {
	if len(s) > MaxEnvid {
		return "", ErrEnvid
	}
	envid, ok := decodeXtext(s)
	if !ok || envid == "" {
		return "", ErrEnvid
	}
	return envid, nil
}

// ParseOrcpt decodes ORCPT to "type;address". A type that we do not know is kept
// like any other (RFC 3461 4.2), and each in the case in which it was given
// (RFC 3461 5.2.1). For the type utf-8 the address is in one of the forms of
// RFC 6533 3, with characters of UTF-8 themselves only where utf8ok says that
// SMTPUTF8 was asked for.
func ParseOrcpt(s string, utf8ok bool) (string, error) {
	kind, value, found := strings.Cut(s, ";")
	if !found || len(s) > MaxOrcpt || !validType(kind) {
		return "", ErrOrcpt
	}
	var address string
	var ok bool
	if IsUTF8(kind) && (utf8ok || ascii(value)) {
		address, ok = decodeUTF8(value)
	} else {
		address, ok = decodeXtext(value)
	}
	if !ok || address == "" {
		return "", ErrOrcpt
	}
	return kind + ";" + address, nil
}

// validOrcpt holds a decoded ORCPT to what ParseOrcpt returns.
func validOrcpt(s string) bool {
	kind, address, _ := strings.Cut(s, ";")
	return len(s) <= MaxOrcpt && validType(kind) && address != "" && (printable(address) || IsUTF8(kind) && text(address))
}

// validType reports whether s is an atom (RFC 3461 4.2, RFC 822 3.3) that may
// stand in a parameter.
func validType(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\".[]=`, r)
	})
}

// IsUTF8 reports whether an ORCPT's type is that of addresses in UTF-8
// (RFC 6533 3).
func IsUTF8(kind string) bool { return strings.EqualFold(kind, "utf-8") }

// Xtext encodes printable ASCII (RFC 3461 4).
func Xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Orcpt encodes "type;address" for a command: in ASCII, unless utf8ok says that
// the transaction is one of SMTPUTF8.
func Orcpt(s string, utf8ok bool) string {
	kind, address, _ := strings.Cut(s, ";")
	if IsUTF8(kind) {
		return kind + ";" + encodeUTF8(address, utf8ok)
	}
	return kind + ";" + Xtext(address)
}

// OrcptOf is the ORCPT of an address for which none was given (RFC 3461 5.2.1,
// RFC 6533 3); "" for one that is too long.
func OrcptOf(address string) string {
	s := "rfc822;" + address
	if !ascii(address) {
		s = "utf-8;" + address
	}
	if !validOrcpt(s) {
		return ""
	}
	return s
}

// UTF8Xtext encodes an address as utf-8-addr-xtext (RFC 6533 3).
func UTF8Xtext(s string) string { return encodeUTF8(s, false) }

// encodeUTF8 leaves characters outside ASCII as they are where unitext is
// allowed.
func encodeUTF8(s string, unitext bool) string {
	var b strings.Builder
	for _, r := range s {
		if r <= ' ' || r == 0x7f || r >= utf8.RuneSelf && !unitext || r == '+' || r == '=' || r == '\\' {
			fmt.Fprintf(&b, "\\x{%02X}", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// decodeXtext takes lower-case digits too: some senders write them.
func decodeXtext(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			b.WriteByte(byte(n))
			i += 2
			continue
		}
		if c <= ' ' || c > '~' || c == '=' {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), printable(b.String())
}

// decodeUTF8 reads utf-8-addr-xtext, utf-8-addr-unitext and the address itself
// (RFC 6533 3).
func decodeUTF8(s string) (string, bool) {
	var b strings.Builder
	for s != "" {
		if rest, ok := strings.CutPrefix(s, `\x{`); ok {
			digits, tail, closed := strings.Cut(rest, "}")
			n, err := strconv.ParseUint(digits, 16, 32)
			if !closed || err != nil || len(digits) > 6 || !utf8.ValidRune(rune(n)) {
				return "", false
			}
			b.WriteRune(rune(n))
			s = tail
			continue
		}
		if c := s[0]; c <= ' ' || c == 0x7f || c == '\\' || c == '+' || c == '=' {
			return "", false
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String(), text(b.String())
}

// text reports UTF-8 without controls.
func text(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}

func printable(s string) bool { return ascii(s) && text(s) }

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
