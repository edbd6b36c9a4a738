package views

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (s *stage) copies(r *rand.Rand) { s.transfers(r, "COPY") }

func (s *stage) moves(r *rand.Rand) { s.transfers(r, "MOVE") }

var copyUID = regexp.MustCompile(`\[COPYUID (\d+) ([0-9:,]+) ([0-9:,]+)\]`)

// transfers copies or moves messages to another mailbox, the same, or none.
func (s *stage) transfers(r *rand.Rand, word string) {
	c, ok := s.full(r)
	byUID := r.IntN(2) == 0
	if !ok {
		return
	}
	set, of := s.messages(r, c, byUID)
	if set == "" || len(s.wrong) > 0 {
		return
	}
	command := prefix(byUID) + word + " " + set + " "
	if r.IntN(12) == 0 || len(of) > 12 {
		if len(alive(of)) > 0 && !(c.readOnly && word == "MOVE") {
			s.refused(c, command+"Nowhere", "NO")
			if !strings.HasPrefix(c.text, "[TRYCREATE]") {
				s.fail("session %d: no TRYCREATE: %s", c.no, c.text)
			}
		}
		return
	}
	to := s.anyBox(r)
	command += to.name
	if word == "MOVE" && c.readOnly || len(alive(of)) == 0 {
		s.refused(c, command, "NO")
		return
	}
	s.command(c, command, func() { s.transferred(c, of, to, word == "MOVE") })
}

// transferred holds COPYUID to what was asked, and tells the model.
func (s *stage) transferred(c *session, of []*entry, to *box, moved bool) {
	m := copyUID.FindStringSubmatch(strings.Join(c.lines, "") + c.text)
	if m == nil {
		s.fail("session %d: no COPYUID: %s", c.no, c.text)
		return
	}
	s.check(to.call(m[1]))
	source, target := numbers(m[2]), numbers(m[3])
	if len(source) != len(target) {
		s.fail("session %d: COPYUID has %d and %d UIDs", c.no, len(source), len(target))
		return
	}
	for _, e := range alive(of) {
		n := slices.Index(source, e.m.uid)
		if n < 0 {
			s.fail("session %d: %v was left out", c.no, e.m)
			continue
		}
		to.expect(e.m.letter, target[n], e.m.now())
		source, target = slices.Delete(source, n, n+1), slices.Delete(target, n, n+1)
		e.m.gone = moved
	}
	if len(source) > 0 {
		s.fail("session %d: what was not asked for was copied, too: %v", c.no, source)
	}
}

// numbers returns the numbers of a set.
func numbers(set string) (all []uint32) {
	if set == "" {
		return nil
	}
	for part := range strings.SplitSeq(set, ",") {
		from, to, ok := strings.Cut(part, ":")
		if !ok {
			to = from
		}
		lo, _ := strconv.ParseUint(from, 10, 32)
		hi, _ := strconv.ParseUint(to, 10, 32)
		for n := lo; n <= hi && len(all) < 10_000; n++ {
			all = append(all, uint32(n))
		}
	}
	return all
}

var statusIn = regexp.MustCompile(`\* STATUS \S+ \(MESSAGES (\d+) UNSEEN (\d+) DELETED (\d+) SIZE (\d+) UIDNEXT (\d+) UIDVALIDITY (\d+)\)`)

// statuses asks for the sums of a mailbox.
func (s *stage) statuses(r *rand.Rand) {
	c, b := s.awake(r), s.anyBox(r)
	if len(s.wrong) > 0 || !s.command(c, "STATUS "+b.name+" (MESSAGES UNSEEN DELETED SIZE UIDNEXT UIDVALIDITY)") {
		return
	}
	m := statusIn.FindStringSubmatch(strings.Join(c.lines, ""))
	if m == nil {
		s.fail("session %d: no STATUS in %q", c.no, c.lines)
		return
	}
	live, size := b.live(), 0
	for _, m := range live {
		size += len(m.text)
	}
	got := strings.Join(m[1:5], " ")
	if want := fmt.Sprint(len(live), len(live)-b.count(`\Seen`), b.count(`\Deleted`), size); got != want {
		s.fail("session %d: STATUS %s: got MESSAGES, UNSEEN, DELETED, SIZE %s, want %s", c.no, b.name, got, want)
	}
	next, _ := strconv.ParseUint(m[5], 10, 32)
	s.check(b.announce(uint32(next)))
	s.check(b.call(m[6]))
}
