// Package utf7 is the modified UTF-7 of mailbox names (RFC 3501 5.1.3), as
// clients and the folders on disk have it.
package utf7

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
)

// ErrForm is returned for what Encode would not have written.
var ErrForm = errors.New("not modified UTF-7")

// base is the base64 of RFC 3501 5.1.3: a comma for the slash.
func base() *base64.Encoding {
	return base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
		WithPadding(base64.NoPadding).Strict()
}

// Encode returns s in modified UTF-7 (RFC 3501 5.1.3).
func Encode(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return !direct(r) })
		if i != 0 {
			if i < 0 {
				i = len(s)
			}
			b.WriteString(strings.ReplaceAll(s[:i], "&", "&-"))
			s = s[i:]
			continue
		}
		if i = strings.IndexFunc(s, direct); i < 0 {
			i = len(s)
		}
		b.WriteString("&" + encodeRun(s[:i]) + "-")
		s = s[i:]
	}
	return b.String()
}

// plain reports whether s is the same in both forms, as most names are.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '&' {
			return false
		}
	}
	return true
}

// direct reports whether r stands for itself.
func direct(r rune) bool { return ' ' <= r && r <= '~' }

func encodeRun(s string) string {
	var raw []byte
	for _, u := range utf16.Encode([]rune(s)) {
		raw = append(raw, byte(u>>8), byte(u))
	}
	return base().EncodeToString(raw)
}

// Decode is Encode the other way. What Encode would have written
// in another way is an error.
func Decode(s string) (string, error) {
	if plain(s) {
		return s, nil
	}
	var b strings.Builder
	for rest := s; rest != ""; {
		before, after, found := strings.Cut(rest, "&")
		b.WriteString(before)
		if !found {
			break
		}
		run, after, ok := strings.Cut(after, "-")
		if !ok {
			return "", ErrForm
		}
		text, err := decodeRun(run)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		rest = after
	}
	// A NUL is no character of a name anywhere (RFC 3501 9, CHAR).
	if Encode(b.String()) != s || strings.IndexByte(b.String(), 0) >= 0 {
		return "", ErrForm
	}
	return b.String(), nil
}

func decodeRun(run string) (string, error) {
	if run == "" {
		return "&", nil
	}
	raw, err := base().DecodeString(run)
	if err != nil || len(raw)%2 != 0 {
		return "", ErrForm
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i < len(raw); i += 2 {
		units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	return string(utf16.Decode(units)), nil
}
