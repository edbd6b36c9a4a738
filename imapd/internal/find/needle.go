package find

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"posthorn/imapd/internal/charset"
)

// needle is a text that is looked for, without regard to case. What is of US-ASCII
// alone is searched as it is, for folding is most of the work otherwise; around
// other characters, which may fold to those that are looked for, text is folded.
type needle struct {
	text   string // folded
	blanks bool   // it has some
	ascii  bool
	marks  [2]mark // of an ASCII needle
}

// mark is a byte of a needle that is rare.
type mark struct {
	at int
	of uint64 // the byte, eight times
}

// rarity has the letters of English text, the rarest last; what is none of them
// but a blank is rarer.
const rarity = " ETAOINSHRDLCUMWFGYPBVKJXQZ"

// Bytes of a word, eight of a kind.
const (
	ones   = 0x0101010101010101
	highs  = 0x80 * ones
	lows   = 0x7F * ones
	marked = 0x5F * ones // bits that are the same in upper and lower case
)

func newNeedle(text string) *needle {
	n := &needle{text: charset.Fold(text)}
	n.blanks = strings.ContainsAny(n.text, " \t")
	if n.ascii = text != "" && plain([]byte(n.text)); !n.ascii {
		return n
	}
	first, second := -1, -1 // ranks
	for i := range len(n.text) {
		rank := strings.IndexByte(rarity, n.text[i])
		if rank < 0 {
			rank = len(rarity)
		}
		m := mark{i, uint64(n.text[i]) * ones}
		switch {
		case rank > first:
			first, second, n.marks = rank, first, [2]mark{m, n.marks[0]}
		case rank > second:
			second, n.marks[1] = rank, m
		}
	}
	if second < 0 {
		n.marks[1] = n.marks[0]
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

// inASCII looks for an ASCII needle as it is: where both marks stand it is compared.
func (n *needle) inASCII(b []byte) bool {
	places := len(b) - len(n.text) + 1
	if places < 1 {
		return false
	}
	first, second := b[n.marks[0].at:][:places], b[n.marks[1].at:][:places]
	one, two := n.marks[0].of, n.marks[1].of
	i := 0
	for ; i+16 <= places; i += 16 {
		p, q := (*[16]byte)(first[i:]), (*[16]byte)(second[i:])
		x := ((eight(p[:]) ^ one) | (eight(q[:]) ^ two)) & marked // 0 where both stand, but for case
		y := ((eight(p[8:]) ^ one) | (eight(q[8:]) ^ two)) & marked
		if (x+lows)&(y+lows)&highs != highs && n.begins(b[i:], 16) {
			return true
		}
	}
	return n.begins(b[i:], places-i)
}

// begins reports whether the text in any case begins at one of the first places.
func (n *needle) begins(b []byte, places int) bool {
	for i := range places {
		if n.equals(b[i:]) {
			return true
		}
	}
	return false
}

func eight(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

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
	i := 0
	for ; i+32 <= len(b); i += 32 {
		c := (*[32]byte)(b[i:])
		if (eight(c[:])|eight(c[8:])|eight(c[16:])|eight(c[24:]))&highs != 0 {
			break
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
