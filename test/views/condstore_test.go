package views

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"posthorn/test/history"
)

var (
	modifiedIn = regexp.MustCompile(`\[MODIFIED ([0-9:,]+)\]`)
	foundIn    = regexp.MustCompile(`^\* SEARCH([ 0-9]*)(?: \(MODSEQ (\d+)\))?\r\n`)
)

// condstore reports whether the server tells a session modseqs.
func (c *session) condstore() bool { return c.no%3 > 0 }

// someModSeq draws one that a client knows of one of these messages, or one beside it.
func someModSeq(r *rand.Rand, of []*entry) uint64 {
	n := of[r.IntN(len(of))].modseq
	switch r.IntN(6) {
	case 0:
		return n + 1
	case 1:
		return max(n, 1) - 1
	case 2:
		return 1<<63 - 1
	}
	return n
}

// modseqsOf returns what a client knows of modseqs now: an answer may bring others.
func modseqsOf(of []*entry) map[*entry]uint64 {
	all := map[*entry]uint64{}
	for _, e := range of {
		all[e] = e.modseq
	}
	return all
}

// guard is the UNCHANGEDSINCE of a STORE, if it has one (RFC 7162 section 3.1.3).
type guard struct {
	on    bool
	since uint64
	knew  map[*entry]uint64 // the modseqs that the client knew when it said so
}

func someGuard(r *rand.Rand, c *session, of []*entry) guard {
	if !c.condstore() || r.IntN(2) == 0 {
		return guard{}
	}
	return guard{true, someModSeq(r, of), modseqsOf(of)}
}

func (g guard) String() string {
	if !g.on {
		return ""
	}
	return fmt.Sprintf(" (UNCHANGEDSINCE %d)", g.since)
}

// pass returns the messages that a STORE changed, as its answer says, and holds that
// to what the client knew of them.
func (s *stage) pass(c *session, of []*entry, byUID bool, g guard) []*entry {
	if !g.on {
		return of
	}
	left := numbers(first(modifiedIn, c.text))
	return slices.DeleteFunc(slices.Clone(of), func(e *entry) bool {
		number := uint32(slices.Index(c.view, e) + 1)
		if byUID {
			number = e.uid
		}
		modified := slices.Contains(left, number)
		if e.m != nil && !e.m.gone {
			s.checkGuard(c, e, g, modified)
		}
		return modified
	})
}

// doubt is a message that nobody changed, as far as the model knows, and whose modseq
// must have become at least so high all the same: they all become others when the
// index is lost, or another process has the folder in another state.
type doubt struct {
	c     *session
	e     *entry
	least uint64
	why   string
}

// dispel asks for the modseqs that must have changed.
func (s *stage) dispel() {
	doubts := s.doubts
	s.doubts = nil
	for _, d := range doubts {
		if d.e.m.gone || len(s.wrong) > 0 || !s.command(d.c, fmt.Sprintf("UID FETCH %d (MODSEQ)", d.e.m.uid)) {
			continue
		}
		modseq, _ := strconv.ParseUint(first(modseqIn, strings.Join(d.c.lines, "")), 10, 64)
		if modseq < d.least {
			s.fail("session %d: %s %v, whose MODSEQ is %d and which nobody changed", d.c.no, d.why, d.e.m, modseq)
		}
		d.e.modseq = modseq
	}
}

func (s *stage) checkGuard(c *session, e *entry, g guard, modified bool) {
	had, since := g.knew[e], e.m.was[e.from:] // the client was told of the first
	switch {
	case had == 0:
	case !modified && (had > g.since || had == g.since && since[0] != e.m.now()):
		s.fail("session %d: STORE%s changed %v, whose MODSEQ was %d when it had %q and which had %q now", c.no, g, e.m, had, since[0], e.m.now())
	case modified && had <= g.since && len(since) == 1:
		s.doubts = append(s.doubts, doubt{c, e, g.since + 1, fmt.Sprintf("STORE%s left out", g)})
	}
}

// modseqs searches by modseq (RFC 7162 section 3.1.5).
func (s *stage) modseqs(r *rand.Rand) {
	c, ok := s.full(r)
	if !ok || !c.condstore() {
		return
	}
	n, byUID := someModSeq(r, c.view), r.IntN(2) == 0
	view, knew := slices.Clone(c.view), modseqsOf(c.view)
	s.command(c, fmt.Sprintf("%sSEARCH MODSEQ %s%d", prefix(byUID), history.Pick(r, "", `"/flags/\\seen" all `), n), func() {
		found, highest := c.foundSince()
		if (highest > 0) != (len(found) > 0) || highest > 0 && highest < n {
			s.fail("session %d: SEARCH MODSEQ %d: got %q", c.no, n, c.lines)
		}
		for i, e := range view {
			number := uint32(i + 1)
			if byUID {
				number = e.m.uid
			}
			if !e.m.gone && knew[e] > 0 {
				s.checkSince(c, e, n, knew[e], highest, slices.Contains(found, number))
			}
		}
	})
	s.dispel()
}

// foundSince returns the numbers of a SEARCH response, and the highest modseq.
func (c *session) foundSince() (found []uint32, highest uint64) {
	for _, line := range c.lines {
		if m := foundIn.FindStringSubmatch(line); m != nil {
			for word := range strings.FieldsSeq(m[1]) {
				n, _ := strconv.ParseUint(word, 10, 32)
				found = append(found, uint32(n))
			}
			highest, _ = strconv.ParseUint(m[2], 10, 64)
		}
	}
	return found, highest
}

func (s *stage) checkSince(c *session, e *entry, n, had, highest uint64, found bool) {
	switch {
	case !found && had >= n:
		s.fail("session %d: SEARCH MODSEQ %d: did not find %v, whose MODSEQ is %d", c.no, n, e.m, had)
	case found && had < n && len(e.m.was)-1 == e.from:
		s.doubts = append(s.doubts, doubt{c, e, n, fmt.Sprintf("SEARCH MODSEQ %d found", n)})
	case found && highest < had:
		s.fail("session %d: SEARCH MODSEQ %d: got %d as the highest, and %v has %d", c.no, n, highest, e.m, had)
	}
}
