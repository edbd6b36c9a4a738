package views

import (
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"posthorn/test/history"
)

// places are the names that mailboxes may have here.
var places = []string{"A", "A.B", "A.B.C", "D"}

// folders makes, removes, renames and lists mailboxes.
func (s *stage) folders(r *rand.Rand) {
	c := s.awake(r)
	if len(s.wrong) > 0 {
		return
	}
	name := history.Pick(r, places...)
	switch r.IntN(8) {
	case 0, 1, 2:
		s.creates(c, name)
	case 3:
		s.deletes(c, name)
	case 4:
		s.renames(c, history.Pick(r, "INBOX", "A", "A.B", "D"), name)
	case 5:
		on := r.IntN(2) == 0
		if s.command(c, map[bool]string{true: "SUBSCRIBE ", false: "UNSUBSCRIBE "}[on]+name) {
			s.wanted[name] = on
		}
	default:
		s.lists(c)
	}
}

func (s *stage) creates(c *session, name string) {
	if s.boxes[name] != nil {
		s.refused(c, "CREATE "+name, "NO")
		return
	}
	s.command(c, "CREATE "+name, func() { s.boxes[name] = &box{name: name} })
}

func (s *stage) deletes(c *session, name string) {
	b := s.boxes[name]
	if b == nil {
		s.refused(c, "DELETE "+name, "NO")
		return
	}
	own := c.box == b
	if own {
		c.box, c.view = nil, nil
	}
	if s.command(c, "DELETE "+name, func() { delete(s.boxes, name) }) {
		s.doomed(b, c)
	}
}

// renames gives a mailbox and those below it another name. From INBOX its messages
// go instead (RFC 3501 6.3.5).
func (s *stage) renames(c *session, from, to string) {
	if from == "INBOX" {
		s.empties(c, to)
		return
	}
	var moved []*box
	free := !strings.HasPrefix(to+".", from+".")
	for _, b := range s.sorted() {
		if below, ok := strings.CutPrefix(b.name, from); ok && (below == "" || below[0] == '.') {
			moved = append(moved, b)
			free = free && s.boxes[to+below] == nil
		}
	}
	if len(moved) == 0 || !free {
		s.refused(c, "RENAME "+from+" "+to, "NO")
		return
	}
	if slices.Contains(moved, c.box) {
		c.box, c.view = nil, nil
	}
	if !s.command(c, "RENAME "+from+" "+to, func() {
		for _, b := range moved {
			delete(s.boxes, b.name)
		}
		for _, b := range moved {
			b.name = to + strings.TrimPrefix(b.name, from)
			s.boxes[b.name] = b
		}
	}) {
		return
	}
	for _, b := range moved {
		s.doomed(b, c)
	}
}

func (s *stage) empties(c *session, to string) {
	if s.boxes[to] != nil {
		s.refused(c, "RENAME INBOX "+to, "NO")
		return
	}
	s.command(c, "RENAME INBOX "+to, func() {
		b := &box{name: to}
		s.boxes[to] = b
		for _, m := range s.boxes["INBOX"].live() {
			b.expect(m.letter, 0, m.now())
			m.gone = true
		}
	})
}

var listIn = regexp.MustCompile(`\* (?:LIST|LSUB) \(([^)]*)\) "\." "?([^"\r]*)"?\r\n`)

// lists wants the mailboxes that there are, and the subscriptions.
func (s *stage) lists(c *session) {
	if !s.command(c, `LIST "" *`) {
		return
	}
	var got []string
	for _, m := range listIn.FindAllStringSubmatch(strings.Join(c.lines, ""), -1) {
		if !strings.Contains(m[1], `\Noselect`) {
			got = append(got, m[2])
		}
	}
	slices.Sort(got)
	if want := slices.Sorted(maps.Keys(s.boxes)); !slices.Equal(got, want) {
		s.fail("session %d: LIST: got %q, want %q", c.no, got, want)
	}
	if !s.command(c, `LSUB "" *`) {
		return
	}
	got = nil
	for _, m := range listIn.FindAllStringSubmatch(strings.Join(c.lines, ""), -1) {
		got = append(got, m[2])
	}
	slices.Sort(got)
	want := slices.DeleteFunc(slices.Sorted(maps.Keys(s.wanted)), func(name string) bool { return !s.wanted[name] })
	if !slices.Equal(got, want) {
		s.fail("session %d: LSUB: got %q, want %q", c.no, got, want)
	}
}

// logsInAgain ends a session without a word, and begins another.
func (s *stage) logsInAgain(r *rand.Rand) {
	c := s.sessions[r.IntN(len(s.sessions))]
	s.note("  %d: away and back", c.no)
	s.relogin(c)
}
