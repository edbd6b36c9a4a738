package find

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// needle is a folded text that is looked for. What is of US-ASCII alone is searched
// for one of US-ASCII as it is: folding is most of the work otherwise.
type needle struct {
	text         string
	ascii        bool
	at           int  // the rarest byte of it
	upper, lower byte // that byte
}

// rarity has the letters of English text, the rarest last; what is none of them
// but a blank is rarer.
const rarity = " ETAOINSHRDLCUMWFGYPBVKJXQZ"

func newNeedle(text string) needle {
	n := needle{text: text, ascii: text != "" && plain([]byte(text))}
	if !n.ascii {
		return n
	}
	best := -1
	for i := range len(text) {
		rank := strings.IndexByte(rarity, text[i])
		if rank < 0 {
			rank = len(rarity)
		}
		if rank > best {
			best, n.at = rank, i
		}
	}
	n.upper, n.lower = text[n.at], text[n.at]
	if 'A' <= n.upper && n.upper <= 'Z' {
		n.lower += 'a' - 'A'
	}
	return n
}

// plain reports whether b is of US-ASCII alone, eight bytes at a time.
func plain(b []byte) bool {
	const high = 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// in reports whether b, which is of US-ASCII, contains the text in any case.
func (n *needle) in(b []byte) bool {
	return n.scan(b, n.upper) || n.lower != n.upper && n.scan(b, n.lower)
}

// scan is in where the rarest byte is c.
func (n *needle) scan(b []byte, c byte) bool {
	for from := n.at; from < len(b); from++ {
		i := bytes.IndexByte(b[from:], c)
		if i < 0 {
			return false
		}
		from += i
		start := from - n.at
		if start+len(n.text) > len(b) {
			return false
		}
		if n.equals(b[start:]) {
			return true
		}
	}
	return false
}

// equals reports whether b begins with the text in any case.
func (n *needle) equals(b []byte) bool {
	for i := range len(n.text) {
		c := b[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != n.text[i] {
			return false
		}
	}
	return true
}
