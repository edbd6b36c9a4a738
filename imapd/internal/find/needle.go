package find

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"

	"posthorn/imapd/internal/charset"
)

// needle is a text that is looked for, without regard to case. What is of US-ASCII
// alone is searched as it is, for folding is most of the work otherwise; around
// other characters, which may fold to those that are looked for, text is folded.
type needle struct {
	text         string // folded
	ascii        bool
	blanks       bool // it has some
	at           int  // the rarest byte of it
	upper, lower byte // that byte
}

// rarity has the letters of English text, the rarest last; what is none of them
// but a blank is rarer.
const rarity = " ETAOINSHRDLCUMWFGYPBVKJXQZ"

func newNeedle(text string) *needle {
	n := &needle{text: charset.Fold(text)}
	n.blanks = strings.ContainsAny(n.text, " \t")
	if n.ascii = text != "" && plain([]byte(n.text)); !n.ascii {
		return n
	}
	best := -1
	for i := range len(n.text) {
		rank := strings.IndexByte(rarity, n.text[i])
		if rank < 0 {
			rank = len(rarity)
		}
		if rank > best {
			best, n.at = rank, i
		}
	}
	n.upper, n.lower = n.text[n.at], n.text[n.at]
	if 'A' <= n.upper && n.upper <= 'Z' {
		n.lower += 'a' - 'A'
	}
	return n
}

// in reports whether UTF-8 text contains the needle.
func (n *needle) in(b []byte) bool {
	if n.text == "" || n.ascii && n.inASCII(b) {
		return true
	}
	// What is found now has something of a character that is not of US-ASCII. Those
	// of US-ASCII fold to one octet each, whatever is beside them.
	for reach := len(n.text) - 1; ; {
		i := beyond(b)
		if i == len(b) {
			return false
		}
		b = b[max(0, i-reach):]
		end := min(i, reach)
		for end < len(b) {
			end += ahead(b[end:])
			next := beyond(b[end:min(len(b), end+2*reach)])
			if next == min(len(b)-end, 2*reach) {
				break
			}
			end += next
		}
		if n.inFolded(charset.Fold(string(b[:min(len(b), end+reach)]))) {
			return true
		}
		b = b[end:]
	}
}

func (n *needle) inFolded(text string) bool { return strings.Contains(text, n.text) }

// overlap returns how many octets at the end of a text may begin what goes on
// behind it: one of four octets folds to one or more.
func (n *needle) overlap() int { return utf8.UTFMax * len(n.text) }

// inASCII looks for an ASCII needle as it is.
func (n *needle) inASCII(b []byte) bool {
	return n.scan(b, n.upper) || n.lower != n.upper && n.scan(b, n.lower)
}

// scan is inASCII where its rarest byte is c.
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

// plain reports whether b is of US-ASCII alone.
func plain(b []byte) bool { return beyond(b) == len(b) }

// beyond returns how many bytes at the start of b are of US-ASCII.
func beyond(b []byte) int {
	const high = 0x8080808080808080
	word := binary.LittleEndian.Uint64
	i := 0
	for ; len(b)-i >= 32; i += 32 {
		if c := b[i : i+32]; (word(c)|word(c[8:])|word(c[16:])|word(c[24:]))&high != 0 {
			break
		}
	}
	for ; len(b)-i >= 8; i += 8 {
		if w := word(b[i:]) & high; w != 0 {
			return i + bits.TrailingZeros64(w)/8
		}
	}
	for i < len(b) && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// ahead returns how many bytes at the start of b are not of US-ASCII.
func ahead(b []byte) (n int) {
	for n < len(b) && b[n] >= utf8.RuneSelf {
		n++
	}
	return n
}
