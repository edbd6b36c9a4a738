package find

import (
	"slices"
	"strings"
	"unicode"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/mimepart"
)

// Bounds of a Likeness: words beyond are not looked for, and none is longer.
const (
	maxWords  = 16
	maxLength = 40 // characters
)

// Likeness is a text whose words are looked for one by one (RFC 6203): each
// somewhere, in any order, without accents, as a part of a longer word, or with a
// slip or two in it.
type Likeness struct {
	phrase string // folded
	words  [][]rune
	best   []int // the score of each word
	whole  bool  // the phrase itself was seen
}

// NewLikeness returns the likeness of a text.
func NewLikeness(text string) *Likeness {
	l := &Likeness{phrase: charset.Fold(text)}
	for word := range words(l.phrase) {
		if len(l.words) < maxWords {
			l.words = append(l.words, slices.Clone(word))
		}
	}
	l.best = make([]int, len(l.words))
	return l
}

// Score returns how much what was seen is like the text: from 1 to 100, or 0 when
// a word of it is missing.
func (l *Likeness) Score() int {
	if l.whole {
		return 100
	}
	sum := 0
	for _, score := range l.best {
		if score == 0 {
			return 0
		}
		sum += score
	}
	if len(l.best) == 0 {
		return 0
	}
	return min(sum/len(l.best), 95) // the words, but not the phrase
}

func (l *Likeness) in(text []byte) bool { return l.inFolded(charset.Fold(string(text))) }

func (l *Likeness) inFolded(text string) bool {
	if l.whole = l.whole || strings.Contains(text, l.phrase); l.whole {
		return true
	}
	for word := range words(text) {
		for i, want := range l.words {
			if l.best[i] < 100 {
				l.best[i] = max(l.best[i], alike(want, word))
			}
		}
	}
	return false
}

func (l *Likeness) overlap() int { return max(len(l.phrase), 4*maxLength) }

// words yields the words of a folded text without marks, as far as their bound;
// each is valid until the next.
func words(text string) func(yield func([]rune) bool) {
	return func(yield func([]rune) bool) {
		word := make([]rune, 0, maxLength)
		for _, r := range text {
			switch {
			case unicode.IsLetter(r) || unicode.IsDigit(r):
				if len(word) < maxLength {
					word = append(word, r)
				}
				continue
			case unicode.Is(unicode.Mn, r):
				continue
			}
			if len(word) > 0 && !yield(word) {
				return
			}
			word = word[:0]
		}
		if len(word) > 0 {
			yield(word)
		}
	}
}

// alike returns how much a word is like the wanted one, 0 for not at all.
func alike(want, word []rune) int {
	switch {
	case slices.Equal(want, word):
		return 100
	case len(want) >= 3 && len(word) > len(want) && slices.Equal(word[:len(want)], want):
		return 90
	}
	if slips := allowed(len(want)); slips > 0 && len(word) <= len(want)+slips && len(word) >= len(want)-slips {
		if n := distance(want, word, slips); n <= slips {
			return 90 - 15*n
		}
	}
	if len(word) > len(want) && (len(want) >= 4 || len(want) >= 2 && want[0] >= 0x2E80) && within(want, word) {
		return 50 // scripts of East Asia have no blanks
	}
	return 0
}

// allowed returns how many slips a word of that length may have.
func allowed(length int) int {
	switch {
	case length < 4:
		return 0
	case length < 8:
		return 1
	}
	return 2
}

func within(want, word []rune) bool {
	for i := 1; i+len(want) <= len(word); i++ {
		if slices.Equal(word[i:i+len(want)], want) {
			return true
		}
	}
	return false
}

// distance returns how many letters are to be put in, taken out or changed to
// make b of a; above most it may be any number above that.
func distance(a, b []rune, most int) int {
	var rows [2][maxLength + 1]int
	last, row := &rows[0], &rows[1]
	for j := range b {
		last[j+1] = j + 1
	}
	for i, x := range a {
		row[0] = i + 1
		least := row[0]
		for j, y := range b {
			change := last[j]
			if x != y {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			least = min(least, row[j+1])
		}
		if least > most {
			return least
		}
		last, row = row, last
	}
	return last[len(b)]
}

// Where says where in a message a Likeness is looked for.
type Where int

// The places of SEARCH's keys.
const (
	InField Where = iota
	InAddresses
	InBody
	Anywhere
)

// Like shows l what there is of it; name is that of the field, if it is one.
func (m *Message) Like(l *Likeness, where Where, name string) error {
	switch where {
	case InField:
		return m.likeField(l, name)
	case InAddresses:
		list, err := m.addresses(name)
		l.inFolded(list)
		return err
	}
	p, err := m.whole()
	if err != nil {
		return err
	}
	if where == InBody {
		_, err = m.below(p, l, false)
	} else {
		_, err = m.anywhere(p, l)
	}
	return err
}

func (m *Message) likeField(l *Likeness, name string) error {
	p, err := m.header()
	if err != nil {
		return err
	}
	ranges, err := mimepart.Select(m.src, p.Header, []string{name}, false)
	if err == nil {
		_, err = m.inValues(ranges, l)
	}
	return err
}
