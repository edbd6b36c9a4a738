package picture

import (
	"strings"

	"posthorn/internal/maildir"
)

// Bits are a message's flags as a file name carries them: the low six are the
// letters of sysLetters, then come the keywords a to z.
type Bits uint32

// sysLetters stand in the order of the bits and of ASCII; P (passed) is kept
// but has no meaning in IMAP.
const sysLetters = "DFPRST"

// The flags in the order of their letters; \Passed is Maildir's. From KeywordShift on
// come the keywords.
const (
	BitDraft Bits = 1 << iota
	BitFlagged
	BitPassed
	BitAnswered
	BitSeen
	BitDeleted

	KeywordShift      = 6
	KeywordBits  Bits = 1<<32 - 1<<KeywordShift
)

// Letters returns the flags as letters in ASCII order.
func (b Bits) Letters() string {
	if b == 0 {
		return ""
	}
	var out [32]byte
	n := 0
	for i := range 32 {
		if b&(1<<i) == 0 {
			continue
		}
		if i < KeywordShift {
			out[n] = sysLetters[i]
		} else {
			out[n] = 'a' + byte(i-KeywordShift)
		}
		n++
	}
	return string(out[:n])
}

// letterBit returns the bit of a letter; ok is false for one without meaning.
func letterBit(c byte) (b Bits, ok bool) {
	if 'a' <= c && c <= 'z' {
		return 1 << (KeywordShift + c - 'a'), true
	}
	if i := strings.IndexByte(sysLetters, c); i >= 0 {
		return 1 << i, true
	}
	return 0, false
}

// readInfo reads what follows a file's base name, such as ":2,FS". Letters
// without a meaning and what stands behind a second comma are passed over.
func readInfo(info string) (b Bits) {
	letters, ok := strings.CutPrefix(info, ":2,")
	if !ok {
		return 0
	}
	for i := 0; i < len(letters) && letters[i] != ','; i++ {
		bit, _ := letterBit(letters[i])
		b |= bit
	}
	return b
}

// WriteInfo returns the info for new flags of a file whose info was old: what
// we do not understand in it is kept.
func WriteInfo(old string, b Bits) string {
	letters, ok := strings.CutPrefix(old, ":2,")
	if !ok {
		return ":2," + b.Letters()
	}
	letters, tail, more := strings.Cut(letters, ",")
	if more {
		tail = "," + tail
	}
	var foreign strings.Builder
	for i := range len(letters) {
		if _, ok := letterBit(letters[i]); !ok {
			foreign.WriteByte(letters[i])
		}
	}
	return ":2," + maildir.SortFlags(b.Letters()+foreign.String()) + tail
}

// PlainInfo reads info when it is exactly what flags make, as nearly always,
// and allocates nothing.
func PlainInfo(info []byte, st State) (b Bits, ok bool) {
	if len(info) == 0 {
		return 0, st&InNew != 0
	}
	if string(info[:min(3, len(info))]) != ":2," || len(info) == 3 && st&InNew != 0 {
		return 0, false
	}
	last := byte(0)
	for _, c := range info[3:] {
		bit, ok := letterBit(c)
		if !ok || c <= last {
			return 0, false
		}
		b |= bit
		last = c
	}
	return b, true
}
