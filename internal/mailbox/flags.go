package mailbox

import (
	"strings"

	"posthorn/internal/dovecot"
	"posthorn/internal/maildir"
)

// bits are a message's flags as a file name carries them: the low six are the
// letters of sysLetters, then come the keywords a to z.
type bits uint32

// sysLetters stand in the order of the bits and of ASCII; P (passed) is kept
// but has no meaning in IMAP.
const sysLetters = "DFPRST"

const (
	bitDraft bits = 1 << iota
	bitFlagged
	bitPassed
	bitAnswered
	bitSeen
	bitDeleted

	keywordShift      = 6
	keywordBits  bits = 1<<32 - 1<<keywordShift
)

// system returns the flags of RFC 3501, which have another order: it is asked for
// every message that a SEARCH looks at.
func (b bits) system() SystemFlag {
	return SystemFlag(b&(bitDraft|bitFlagged)<<2 | b&bitAnswered>>3 | b&bitSeen | b&bitDeleted>>4)
}

// systemOf is system the other way.
func systemOf(s SystemFlag) bits {
	b := bits(s)
	return b>>2&(bitDraft|bitFlagged) | b<<3&bitAnswered | b&bitSeen | b<<4&bitDeleted
}

// letters returns the flags as letters in ASCII order.
func (b bits) letters() string {
	if b == 0 {
		return ""
	}
	var out [32]byte
	n := 0
	for i := range 32 {
		if b&(1<<i) == 0 {
			continue
		}
		if i < keywordShift {
			out[n] = sysLetters[i]
		} else {
			out[n] = 'a' + byte(i-keywordShift)
		}
		n++
	}
	return string(out[:n])
}

// letterBit returns the bit of a letter; ok is false for one without meaning.
func letterBit(c byte) (b bits, ok bool) {
	if 'a' <= c && c <= 'z' {
		return 1 << (keywordShift + c - 'a'), true
	}
	if i := strings.IndexByte(sysLetters, c); i >= 0 {
		return 1 << i, true
	}
	return 0, false
}

// readInfo reads what follows a file's base name, such as ":2,FS". Letters
// without a meaning and what stands behind a second comma are passed over.
func readInfo(info string) (b bits) {
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

// writeInfo returns the info for new flags of a file whose info was old: what
// we do not understand in it is kept.
func writeInfo(old string, b bits) string {
	letters, ok := strings.CutPrefix(old, ":2,")
	if !ok {
		return ":2," + b.letters()
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
	return ":2," + maildir.SortFlags(b.letters()+foreign.String()) + tail
}

// keywordNames returns the keywords in b by the folder's table. A letter that
// the table does not know has no name.
func keywordNames(b bits, k *dovecot.Keywords) (names []string) {
	if b&keywordBits == 0 {
		return nil
	}
	for i := range k {
		if name := k.Name(i); name != "" && b&(1<<(keywordShift+i)) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// flagsOf returns b as sessions see it.
func flagsOf(b bits, k *dovecot.Keywords) Flags {
	return Flags{System: b.system(), Keywords: keywordNames(b, k)}
}

// bitsOf returns f by the folder's table, whether or not the table has all of
// the keywords.
func bitsOf(f Flags, k *dovecot.Keywords) (b bits, all bool) {
	b, all = systemOf(f.System), true
	for _, name := range f.Keywords {
		if i := k.Index(name); i >= 0 {
			b |= 1 << (keywordShift + i)
		} else {
			all = false
		}
	}
	return b, all
}

// apply returns the flags after op. \Passed is not the client's to change.
func (b bits) apply(op Op, change bits) bits {
	switch op {
	case Add:
		return b | change
	case Remove:
		return b &^ change
	}
	return change | b&bitPassed
}
