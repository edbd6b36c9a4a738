// Package uidl makes the unique-ids of POP3 (RFC 1939 7) from templates as
// Dovecot's pop3_uidl_format has them, so that clients know the messages again
// that they have fetched from another server.
package uidl

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Bounds of a template, and of the digits of a number in it.
const (
	maxTemplate = 100
	maxWidth    = 64
)

// Format is a template that was read. It is safe for concurrent use; the zero
// Format makes nothing.
type Format struct{ parts []part }

// part is literal text, or a variable when there is one.
type part struct {
	literal   string
	variable  byte // u, v or f; 0 for literal text
	width     int  // with zeros in front
	modifiers string
	base      int // of a number without other modifiers; 0 for what is made as text
}

// Message is what a template is about.
type Message struct {
	UID, UIDValidity uint32
	File             string // name of the file, without its flags
}

// Parse reads a template:
//
//	%u  UID                    %X…  in hexadecimal      %L…  in small letters
//	%v  UIDVALIDITY            %M…  its MD5 sum         %U…  in capitals
//	%f  name of the file       %08… eight digits        %%   the sign itself
//
// At least one of %u and %f must be there, for no two messages may have one id. A
// name that no unique-id can hold is replaced by its MD5 sum.
func Parse(template string) (Format, error) {
	if len(template) > maxTemplate {
		return Format{}, fmt.Errorf("found a template of %d bytes, expected at most %d", len(template), maxTemplate)
	}
	var f Format
	unique := false
	for rest := template; rest != ""; {
		literal, after, found := strings.Cut(rest, "%")
		if strings.ContainsFunc(literal, unprintable) {
			return Format{}, fmt.Errorf("found %q, expected printable ASCII without blanks", literal)
		}
		if literal != "" {
			f.parts = append(f.parts, part{literal: literal})
		}
		if rest = after; !found {
			break
		}
		p, after, err := parsePart(rest)
		if err != nil {
			return Format{}, err
		}
		f.parts, rest = append(f.parts, p), after
		unique = unique || p.variable == 'u' || p.variable == 'f'
	}
	if !unique {
		return Format{}, fmt.Errorf("found %q, expected %%u or %%f in it", template)
	}
	return f, nil
}

func unprintable(r rune) bool { return r < '!' || r > '~' }

func sum(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// parsePart reads what stands behind a %.
func parsePart(s string) (p part, rest string, err error) {
	if rest, ok := strings.CutPrefix(s, "%"); ok {
		return part{literal: "%"}, rest, nil
	}
	body := strings.TrimLeft(s, "0123456789")
	if digits := s[:len(s)-len(body)]; digits != "" {
		if p.width, err = strconv.Atoi(digits); err != nil || digits[0] != '0' || p.width > maxWidth {
			return part{}, "", fmt.Errorf("found the width %q, expected 01 to 0%d", digits, maxWidth)
		}
	}
	rest = strings.TrimLeft(body, "XLUM")
	p.modifiers = body[:len(body)-len(rest)]
	if rest == "" || !strings.Contains("uvf", rest[:1]) {
		return part{}, "", fmt.Errorf("found %%%s, expected %%u, %%v, %%f or %%%%", s[:min(len(s), 10)])
	}
	p.variable = rest[0]
	if p.variable != 'f' {
		p.base = map[string]int{"": 10, "X": 16}[p.modifiers]
	}
	if p.variable == 'f' && strings.Contains(p.modifiers, "X") {
		return part{}, "", fmt.Errorf("found %%%sf, expected a number behind X", p.modifiers)
	}
	return p, rest[1:], nil
}

// Names reports whether the template wants the names of files.
func (f Format) Names() bool {
	for _, p := range f.parts {
		if p.variable == 'f' {
			return true
		}
	}
	return false
}

// Append adds the unique-id of m to dst.
func (f Format) Append(dst []byte, m Message) []byte {
	for i := range f.parts {
		p := &f.parts[i]
		switch {
		case p.variable == 0:
			dst = append(dst, p.literal...)
		case p.base > 0:
			dst = p.number(dst, p.of(m))
		default:
			dst = p.text(dst, m)
		}
	}
	return dst
}

func (p *part) of(m Message) uint64 {
	if p.variable == 'v' {
		return uint64(m.UIDValidity)
	}
	return uint64(m.UID)
}

// zeros are those in front of a number.
const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// number adds n, in small letters as Dovecot writes it.
func (p *part) number(dst []byte, n uint64) []byte {
	if p.base != 16 {
		var digits [20]byte
		text := strconv.AppendUint(digits[:0], n, p.base)
		return append(append(dst, zeros[:max(0, p.width-len(text))]...), text...)
	}
	// A list has two of these a message: in place, from the last digit on.
	dst = append(dst, zeros[:max(p.width, (bits.Len64(n|1)+3)/4)]...)
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
	return dst
}

// text adds a variable whose modifiers change letters.
func (p *part) text(dst []byte, m Message) []byte {
	s := m.File
	if strings.ContainsFunc(s, unprintable) { // RFC 1939 7
		s = sum(s)
	}
	if p.variable != 'f' {
		s = strconv.FormatUint(p.of(m), 10)
	}
	for _, modifier := range p.modifiers {
		switch modifier {
		case 'X':
			if n, err := strconv.ParseUint(s, 10, 64); err == nil {
				s = strconv.FormatUint(n, 16)
			}
		case 'L':
			s = strings.ToLower(s)
		case 'U':
			s = strings.ToUpper(s)
		case 'M':
			s = sum(s)
		}
	}
	for range p.width - len(s) {
		dst = append(dst, '0')
	}
	return append(dst, s...)
}
