package mailbox

import (
	"posthorn/internal/dovecot"
	"posthorn/internal/picture"
)

// systemFlags returns the flags of RFC 3501, which have another order: it is asked for
// every message that a SEARCH looks at.
func systemFlags(b picture.Bits) SystemFlag {
	return SystemFlag(b&(picture.BitDraft|picture.BitFlagged)<<2 | b&picture.BitAnswered>>3 | b&picture.BitSeen | b&picture.BitDeleted>>4)
}

// systemOf is systemFlags the other way.
func systemOf(s SystemFlag) picture.Bits {
	b := picture.Bits(s)
	return b>>2&(picture.BitDraft|picture.BitFlagged) | b<<3&picture.BitAnswered | b&picture.BitSeen | b<<4&picture.BitDeleted
}

// keywordNames returns the keywords in b by the folder's table. A letter that
// the table does not know has no name.
func keywordNames(b picture.Bits, k *dovecot.Keywords) (names []string) {
	if b&picture.KeywordBits == 0 {
		return nil
	}
	for i := range k {
		if name := k.Name(i); name != "" && b&(1<<(picture.KeywordShift+i)) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// flagsOf returns b as sessions see it.
func flagsOf(b picture.Bits, k *dovecot.Keywords) Flags {
	return Flags{System: systemFlags(b), Keywords: keywordNames(b, k)}
}

// bitsOf returns f by the folder's table, whether or not the table has all of
// the keywords.
func bitsOf(f Flags, k *dovecot.Keywords) (b picture.Bits, all bool) {
	b, all = systemOf(f.System), true
	for _, name := range f.Keywords {
		if i := k.Index(name); i >= 0 {
			b |= 1 << (picture.KeywordShift + i)
		} else {
			all = false
		}
	}
	return b, all
}

// apply returns the flags after op. \Passed is not the client's to change.
func apply(b picture.Bits, op Op, change picture.Bits) picture.Bits {
	switch op {
	case Add:
		return b | change
	case Remove:
		return b &^ change
	}
	return change | b&picture.BitPassed
}
