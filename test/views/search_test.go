package views

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"posthorn/test/history"
)

// key is a search key, and which messages it finds; their flags were f.
type searchKey struct {
	text  string
	finds func(e *entry, f flags) bool
}

// someKey makes a search key; of is the view that it is for.
func (s *stage) someKey(r *rand.Rand, c *session, depth int) searchKey {
	if depth > 0 && r.IntN(3) == 0 {
		x, y := s.someKey(r, c, depth-1), s.someKey(r, c, depth-1)
		switch r.IntN(3) {
		case 0:
			return searchKey{"NOT " + x.text, func(e *entry, f flags) bool { return !x.finds(e, f) }}
		case 1:
			return searchKey{"OR " + x.text + " " + y.text, func(e *entry, f flags) bool { return x.finds(e, f) || y.finds(e, f) }}
		}
		return searchKey{"(" + x.text + " " + y.text + ")", func(e *entry, f flags) bool { return x.finds(e, f) && y.finds(e, f) }}
	}
	switch r.IntN(7) {
	case 0:
		return searchKey{"ALL", func(*entry, flags) bool { return true }}
	case 1:
		return ofNumber(r, c)
	case 2:
		size := 100 + 20*r.IntN(10)
		return searchKey{fmt.Sprintf("LARGER %d", size), func(e *entry, _ flags) bool { return len(e.m.text) > size }}
	case 3:
		n := 1 + r.IntN(max(s.letters, 1))
		return searchKey{fmt.Sprintf("HEADER X-Letter %d", n), func(e *entry, _ flags) bool {
			return strings.Contains(strconv.Itoa(e.m.letter), strconv.Itoa(n))
		}}
	}
	return ofFlag(r)
}

// ofFlag asks for a flag, or for its absence.
func ofFlag(r *rand.Rand) searchKey {
	flag := history.Pick(r, `\Seen`, `\Deleted`, `\Flagged`, `\Answered`, `\Draft`, "Work", "k1", "k30")
	word, with := strings.ToUpper(flag), r.IntN(2) == 0
	if word[0] == '\\' {
		word = word[1:]
	} else {
		word = "KEYWORD " + flag
	}
	if !with {
		word = "UN" + word
	}
	return searchKey{word, func(_ *entry, f flags) bool { return f.has(flag) == with }}
}

// ofNumber asks for numbers, or for UIDs that the client knows.
func ofNumber(r *rand.Rand, c *session) searchKey {
	lo := r.IntN(len(c.view))
	hi := lo + r.IntN(len(c.view)-lo)
	among := slices.Clone(c.view[lo : hi+1])
	finds := func(e *entry, _ flags) bool { return slices.Contains(among, e) }
	if c.view[lo].uid != 0 && c.view[hi].uid != 0 {
		return searchKey{fmt.Sprintf("UID %d:%d", c.view[lo].uid, c.view[hi].uid), finds}
	}
	return searchKey{fmt.Sprintf("%d:%d", lo+1, hi+1), finds}
}

func (s *stage) searches(r *rand.Rand) {
	c, ok := s.full(r)
	if !ok {
		return
	}
	s.tally.searches++
	key, byUID := s.someKey(r, c, 2), r.IntN(2) == 0
	view := slices.Clone(c.view) // a UID SEARCH may renumber behind its answer
	s.command(c, prefix(byUID)+"SEARCH "+key.text, func() {
		found, ok := c.found()
		if !ok {
			s.fail("session %d: no SEARCH in %q", c.no, c.lines)
			return
		}
		for n, e := range view {
			number := uint32(n + 1)
			if byUID {
				number = e.m.uid
			}
			s.checkFound(c, key, e, found[number])
			delete(found, number)
		}
		if len(found) > 0 {
			s.fail("session %d: SEARCH %s found what is not there: %v", c.no, key.text, found)
		}
	})
}

// found returns the numbers of a SEARCH response.
func (c *session) found() (map[uint32]bool, bool) {
	for _, line := range c.lines {
		if numbers, ok := strings.CutPrefix(line, "* SEARCH"); ok {
			found := map[uint32]bool{}
			for word := range strings.FieldsSeq(numbers) {
				n, _ := strconv.ParseUint(word, 10, 32)
				found[uint32(n)] = true
			}
			return found, true
		}
	}
	return nil, false
}

// checkFound allows for all the flags that a message has had since the session
// was told of them last.
func (s *stage) checkFound(c *session, key searchKey, e *entry, found bool) {
	if e.m.gone && !found {
		return
	}
	for _, f := range e.m.was[e.from:] {
		if key.finds(e, f) == found {
			return
		}
	}
	s.fail("session %d: SEARCH %s: found %v: %t, whose flags were %q", c.no, key.text, e.m, found, e.m.was[e.from:])
}
