package decode

import (
	"encoding/base64"
	"strings"

	"posthorn/imapd/internal/charset"
)

// Words undoes the encoding of header fields (RFC 2047 section 6.2). It takes
// encoded words wherever they stand, for mail programs put them into quotes too,
// and leaves what is broken as it is.
func Words(s string) string {
	start := strings.Index(s, "=?")
	if start < 0 {
		return s
	}
	var out strings.Builder
	behind := false // an encoded word ends where s begins
	for start >= 0 {
		text, rest, ok := encodedWord(s[start:])
		if !ok {
			out.WriteString(s[:start+2])
			s, behind = s[start+2:], false
		} else {
			if !behind || strings.Trim(s[:start], " \t") != "" {
				out.WriteString(s[:start])
			}
			out.WriteString(text)
			s, behind = rest, true
		}
		start = strings.Index(s, "=?")
	}
	return out.String() + s
}

// maxWord bounds an encoded word. RFC 2047 section 2 has 75 characters; mail
// programs know no such bound.
const maxWord = 4 << 10

// encodedWord decodes the encoded word that s begins with.
func encodedWord(s string) (text, rest string, ok bool) {
	parts := strings.SplitN(s[:min(len(s), maxWord)], "?", 4) // =, charset, encoding, the rest
	if len(parts) < 4 {
		return "", s, false
	}
	encoded, _, ok := strings.Cut(parts[3], "?=")
	if !ok {
		return "", s, false
	}
	rest = s[len(parts[0])+len(parts[1])+len(parts[2])+len("???")+len(encoded)+len("?="):]
	switch parts[2] {
	case "q", "Q":
		text, ok = fromQ(encoded), !strings.Contains(encoded, "?")
	case "b", "B":
		text, ok = fromB(encoded)
	default:
		ok = false
	}
	name, _, _ := strings.Cut(parts[1], "*") // the language (RFC 2231 section 5)
	return toUTF8(name, text), rest, ok
}

// fromQ undoes the Q encoding (RFC 2047 section 4.2).
func fromQ(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '_':
			out = append(out, ' ')
		case s[i] == '=' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			out = append(out, byte(hex(s[i+1])<<4|hex(s[i+2])))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func hex(c byte) int { return strings.IndexByte("0123456789abcdef0123456789ABCDEF", c) % 16 }

// fromB undoes the B encoding (RFC 2047 section 4.1); its padding may be missing.
func fromB(s string) (string, bool) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	return string(b), err == nil
}

// toUTF8 returns text of a charset in UTF-8, or as it is if the charset is not
// known.
func toUTF8(name, text string) string {
	e, ok := charset.Lookup(name)
	if !ok || e == nil {
		return text
	}
	out, err := e.NewDecoder().String(text)
	if err != nil {
		return text
	}
	return out
}
