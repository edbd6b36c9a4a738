package wire

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// base64 of modified UTF-7 has "," for "/" and no padding (RFC 3501 section
// 5.1.3). Built on demand: encoding one name costs far more.
func utf7Base64() *base64.Encoding {
	return base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
		WithPadding(base64.NoPadding).Strict()
}

// DecodeUTF7 returns the mailbox name s in UTF-8. ok is false for what is not
// valid modified UTF-7, including encodings of what needs none: two notations
// of one name would be two mailboxes to the client.
func DecodeUTF7(s string) (name string, ok bool) {
	var out strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			i = len(s)
		}
		if !printable(s[:i]) {
			return "", false
		}
		out.WriteString(s[:i])
		if s = s[i:]; s == "" {
			break
		}
		word, rest, closed := strings.Cut(s[1:], "-")
		text, valid := decodeShift(word)
		// A shift that follows another without text between is not minimal.
		if !closed || !valid || word != "" && strings.HasPrefix(rest, "&") && !strings.HasPrefix(rest, "&-") {
			return "", false
		}
		out.WriteString(text)
		s = rest
	}
	return out.String(), true
}

func decodeShift(word string) (string, bool) {
	if word == "" {
		return "&", true
	}
	b, err := utf7Base64().DecodeString(word)
	if err != nil || len(b)%2 != 0 {
		return "", false
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	var out strings.Builder
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) {
			if i++; i == len(units) {
				return "", false
			}
			if r = utf16.DecodeRune(r, rune(units[i])); r == utf8.RuneError {
				return "", false
			}
		}
		if r <= 0x7f { // printable ASCII stands for itself, controls are no name
			return "", false
		}
		out.WriteRune(r)
	}
	return out.String(), true
}

// EncodeUTF7 returns the UTF-8 mailbox name s as it goes over the wire.
func EncodeUTF7(s string) string {
	if printable(s) && !strings.Contains(s, "&") {
		return s
	}
	var out, run []byte
	flush := func() {
		if len(run) > 0 {
			out = append(out, '&')
			out = utf7Base64().AppendEncode(out, run)
			out = append(out, '-')
			run = run[:0]
		}
	}
	for _, r := range s {
		if r < ' ' || r >= 0x7f {
			for _, u := range utf16.Encode([]rune{r}) {
				run = append(run, byte(u>>8), byte(u))
			}
			continue
		}
		flush()
		if out = append(out, byte(r)); r == '&' {
			out = append(out, '-')
		}
	}
	flush()
	return string(out)
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
