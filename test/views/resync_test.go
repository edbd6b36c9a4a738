package views

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
)

// cache is what a client keeps of a mailbox while it is away.
type cache struct {
	validity string
	modseq   uint64 // the highest
	flags    map[uint32]flags
}

var (
	highestIn  = regexp.MustCompile(`\[HIGHESTMODSEQ (\d+)\]`)
	modseqIn   = regexp.MustCompile(`MODSEQ \((\d+)\)`)
	vanishedIn = regexp.MustCompile(`^\* VANISHED (?:\(EARLIER\) )?([0-9:,]+)`)
)

// resyncs has a client that was away ask for what has changed since (RFC 7162
// section 3.2): with it the client knows the mailbox as it is.
func (s *stage) resyncs(r *rand.Rand) {
	c, err := s.login(len(s.sessions))
	if err != nil {
		s.check(err)
		return
	}
	defer c.conn.Close()
	if !strings.Contains(c.text, " QRESYNC") {
		return
	}
	b := s.anyBox(r)
	k := s.caches[b]
	if k == nil {
		k = &cache{flags: map[uint32]flags{}}
		s.caches[b] = k
	}
	s.asks(c, "ENABLE QRESYNC")
	since := max(k.modseq, 1)
	if k.validity == "" || r.IntN(3) == 0 {
		s.asks(c, "SELECT "+b.name)
		s.check(k.took(c, b))
		s.asks(c, fmt.Sprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)", since))
	} else {
		s.asks(c, fmt.Sprintf("SELECT %s (QRESYNC (%s %d))", b.name, k.validity, since))
		s.check(k.took(c, b))
	}
	k.learn(c)
	s.look()
	want := map[uint32]flags{}
	for _, m := range b.live() {
		want[m.uid] = m.now()
	}
	if !maps.Equal(k.flags, want) {
		s.fail("%s: a client that was away since %d knows %v, want %v", b.name, since, k.flags, want)
	}
}

// asks has a session that is not among those of the history give a command.
func (s *stage) asks(c *session, command string) {
	s.tally.commands++
	s.check(c.do(command))
	s.note("  away: %s: %s %s", command, c.status, c.text)
	if c.status != "OK" || len(c.odd) > 0 {
		s.fail("%s: got %s %s %q", command, c.status, c.text, c.odd)
	}
}

// took takes in the answer to a SELECT.
func (k *cache) took(c *session, b *box) error {
	said := strings.Join(c.lines, "")
	k.validity = first(validityIn, said)
	highest, _ := strconv.ParseUint(first(highestIn, said), 10, 64)
	if highest == 0 || highest < k.modseq {
		return fmt.Errorf("%s: got HIGHESTMODSEQ %d, want at least %d", b.name, highest, k.modseq)
	}
	k.modseq = highest
	return nil
}

// learn takes in what the client is told of messages.
func (k *cache) learn(c *session) {
	for _, line := range c.lines {
		if m := vanishedIn.FindStringSubmatch(line); m != nil {
			for _, uid := range numbers(m[1]) {
				delete(k.flags, uid)
			}
		}
		uid, err := strconv.ParseUint(first(uidIn, line), 10, 32)
		if m := flagsIn.FindStringSubmatch(line); m != nil && err == nil {
			k.flags[uint32(uid)] = flagsOf(strings.Fields(m[1])...)
		}
	}
}
