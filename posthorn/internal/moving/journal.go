package moving

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
)

// span is a range of numbers, both ends in it.
type span struct{ from, to uint32 }

// spans are ranges that rise.
type spans []span

func (s spans) has(n uint32) bool {
	i, ok := slices.BinarySearchFunc(s, n, func(r span, n uint32) int {
		switch {
		case r.to < n:
			return -1
		case r.from > n:
			return 1
		}
		return 0
	})
	return ok && i < len(s)
}

// doneSpans returns the ranges of those items for which done is true. A number that
// this listing lacks is in none: the next one may have it.
func doneSpans(items []Item, done []bool) (s spans) {
	for i, item := range items {
		switch {
		case !done[i] || item.Number == 0:
		case i > 0 && done[i-1] && items[i-1].Number+1 == item.Number:
			s[len(s)-1].to = item.Number
		default:
			s = append(s, span{item.Number, item.Number})
		}
	}
	return s
}

// parseSpans reads ranges as String writes them. What cannot be read, or does not
// rise, ends them.
func parseSpans(text string) (s spans) {
	last := uint64(0)
	for word := range strings.SplitSeq(text, ",") {
		first, second, two := strings.Cut(word, ":")
		if !two {
			second = first
		}
		from, err1 := strconv.ParseUint(first, 10, 32)
		to, err2 := strconv.ParseUint(second, 10, 32)
		if err1 != nil || err2 != nil || from <= last || to < from {
			return s
		}
		s, last = append(s, span{uint32(from), uint32(to)}), to
	}
	return s
}

// text returns the ranges as a sequence-set, as many as fit into limit octets: of
// the others the names of the files tell.
func (s spans) text(limit int) string {
	var b []byte
	for _, r := range s {
		word := strconv.FormatUint(uint64(r.from), 10)
		if r.to > r.from {
			word += ":" + strconv.FormatUint(uint64(r.to), 10)
		}
		if len(b)+1+len(word) > limit {
			break
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(b, word...)
	}
	return string(b)
}

// journal is the note of what of one folder elsewhere was brought into one here.
type journal struct {
	state *mailbox.State
	key   string
}

// openJournal opens the journal of the folder name. The caller closes it.
func openJournal(box *mailbox.Box, name, key string) (*journal, error) {
	state, err := box.State(name)
	if err != nil {
		return nil, fmt.Errorf("opening the notes of what was brought: %w", err)
	}
	return &journal{state, shortKey(key)}, nil
}

// shortKey returns a key that fits.
func shortKey(key string) string {
	if len(key) > statefile.MaxKey/2 {
		return ID(0, key)
	}
	return key
}

// load returns what was brought of a listing.
func (j *journal) load(token string) spans {
	value, _ := j.state.Get(statefile.Import, j.key)
	if old, text, _ := strings.Cut(value, " "); old == token {
		return parseSpans(text)
	}
	return nil
}

// save notes what was brought, durably.
func (j *journal) save(token string, s spans) error {
	err := j.state.Update(func(c *statefile.Changes) error {
		c.Set(statefile.Import, j.key, token+" "+s.text(statefile.MaxValue-1-len(token)))
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting what was brought: %w", err)
	}
	return nil
}

func (j *journal) close() { j.state.Close() }
