package views

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"posthorn/test/history"
)

// part is one of several commands that are under way at the same time.
type part struct {
	c       *session
	command string
	of      []*entry // what it is for
	named   map[*entry]uint32
	touch   touch
	byUID   bool
	g       guard
	to      *box // of COPY and MOVE
	letter  int  // of APPEND
}

// touch is what a command does to a message.
type touch struct {
	store  bool
	op     byte
	names  []string
	silent bool
	copies bool // MOVE copies, and then removes
	// removes says that the message goes; purges, that it goes if it is \Deleted.
	removes, purges bool
}

// together has all sessions look at one mailbox and give commands at once, before any
// is answered. What they did must be what they would have done one after the other, in
// any order, message by message.
func (s *stage) together(r *rand.Rand) {
	b := s.anyBox(r)
	if !s.gathers(r, b) {
		return
	}
	var parts []*part
	race := r.IntN(3) == 0
	for _, c := range s.sessions {
		p := s.drawPart(r, c, b, race)
		parts = append(parts, p)
		s.note("  %d, at once: %s", c.no, strings.SplitN(p.command, "\r\n", 2)[0])
	}
	for _, p := range parts {
		s.check(p.c.send(p.command))
	}
	for _, p := range parts {
		s.check(p.c.await(fmt.Sprintf("t%d ", p.c.tags)))
		s.note("  %d: %s %s", p.c.no, p.c.status, p.c.text)
	}
	s.tally.commands += len(parts)
	s.tally.together++
	if len(s.wrong) > 0 {
		return
	}
	s.became(b, parts)
	s.look()
	for _, c := range s.sessions {
		if len(s.wrong) == 0 {
			s.catchUp(c)
		}
	}
	s.dispel()
}

// gathers has every session select a mailbox with some messages, and know it.
func (s *stage) gathers(r *rand.Rand, b *box) bool {
	for _, c := range s.sessions {
		s.wake(c)
		if len(s.wrong) > 0 {
			return false
		}
		if c.box != b || c.readOnly {
			s.enter(c, b, false)
		}
	}
	for len(b.live()) < 3 && len(s.wrong) == 0 {
		s.appendTo(r, s.sessions[0], b)
	}
	for _, c := range s.sessions {
		if len(s.wrong) == 0 && s.command(c, "NOOP") {
			s.lookAll(c)
		}
	}
	return len(s.wrong) == 0
}

// send gives a command without waiting for its answer.
func (c *session) send(command string) error {
	c.tags++
	c.answer = answer{fetched: map[*entry]string{}}
	c.quiet, c.idled = !renumbers(command), false
	_, err := fmt.Fprintf(c.conn, "t%d %s\r\n", c.tags, command)
	return err
}

// drawPart draws the command of a session. In a race those that can change the flags
// of one message only if nobody else has.
func (s *stage) drawPart(r *rand.Rand, c *session, b *box, race bool) *part {
	p := &part{c: c, byUID: r.IntN(2) == 0}
	var set string
	if set, p.of = s.messages(r, c, p.byUID); r.IntN(2) == 0 { // they often meet there
		set, p.of = "*", c.view[len(c.view)-1:]
	}
	word := history.Pick(r, "STORE", "STORE", "STORE", "STORE", "EXPUNGE", "MOVE", "COPY", "APPEND", "FETCH")
	if race = race && c.condstore(); race {
		word, set, p.of = "STORE", "*", c.view[len(c.view)-1:]
	}
	switch word {
	case "STORE":
		p.touch = touch{store: true, op: history.Pick(r, byte('+'), '+', '-', 0), names: someFlags(r), silent: r.IntN(2) == 0}
		if p.g = someGuard(r, c, p.of); race {
			p.touch.op, p.g = 0, guard{true, p.of[0].modseq, modseqsOf(p.of)}
		}
		item := strings.Trim(string(p.touch.op), "\x00") + "FLAGS"
		if p.touch.silent {
			item += ".SILENT"
		}
		p.command = fmt.Sprintf("%sSTORE %s%v %s (%s)", prefix(p.byUID), set, p.g, item, strings.Join(p.touch.names, " "))
	case "EXPUNGE":
		p.of, p.command, p.touch = c.view, word, touch{purges: true}
	case "MOVE", "COPY":
		p.to, p.touch = s.anyBox(r), touch{copies: true, removes: word == "MOVE"}
		p.command = prefix(p.byUID) + word + " " + set + " " + p.to.name
	case "APPEND":
		p.letter, p.of, p.to = s.newLetter(), nil, b
		text := strings.ReplaceAll(letterText(p.letter), "\n", "\r\n")
		p.command = fmt.Sprintf("APPEND %s {%d+}\r\n%s", b.name, len(text), text)
	default:
		p.of, p.command = nil, prefix(p.byUID)+"FETCH "+set+" FLAGS"
	}
	p.of, p.named = slices.Clone(p.of), map[*entry]uint32{}
	for n, e := range c.view {
		if p.named[e] = uint32(n + 1); p.byUID {
			p.named[e] = e.uid
		}
	}
	return p
}

// became tells the model what may have come of it.
func (s *stage) became(b *box, parts []*part) {
	did := map[*mail][]deed{}
	for _, p := range parts {
		if p.c.status != "OK" && !p.touch.copies {
			s.fail("session %d: %s: got %s %s", p.c.no, p.command, p.c.status, p.c.text)
			return
		}
		targets := p.targets(s)
		for _, e := range p.of {
			uid := e.m.uid
			d := deed{touch: p.touch, guarded: p.g.on && p.g.since == p.g.knew[e], skipped: p.left(e), copied: targets[uid], to: p.to}
			d.doubt = doubt{p.c, e, p.g.since + 1, fmt.Sprintf("STORE%v at once with others left out", p.g)}
			d.removes = false
			did[e.m] = append(did[e.m], d)
			if p.touch.removes && d.copied > 0 {
				did[e.m] = append(did[e.m], deed{touch: touch{removes: true}, behind: len(did[e.m])})
			}
		}
		if p.letter > 0 {
			s.appended(p)
		}
	}
	for m, deeds := range did {
		s.serialize(m, deeds)
	}
	for _, p := range parts {
		for _, e := range p.of {
			if p.touch.silent && !p.left(e) && !flagsIn.MatchString(p.c.fetched[e]) {
				e.silently(p.c.fetched[e], p.touch.op, p.touch.names)
			}
		}
	}
}

// left reports whether a STORE says that it left a message alone.
func (p *part) left(e *entry) bool {
	return slices.Contains(numbers(first(modifiedIn, p.c.text)), p.named[e])
}

// targets returns the new UIDs of what was copied, by the old.
func (p *part) targets(s *stage) map[uint32]uint32 {
	all := map[uint32]uint32{}
	m := copyUID.FindStringSubmatch(strings.Join(p.c.lines, "") + p.c.text)
	if m == nil {
		return all
	}
	s.check(p.to.call(m[1]))
	target := numbers(m[3])
	for i, uid := range numbers(m[2]) {
		all[uid] = target[min(i, len(target)-1)]
	}
	return all
}

func (s *stage) appended(p *part) {
	m := appendUID.FindStringSubmatch(p.c.text)
	if m == nil {
		s.fail("session %d: no APPENDUID: %s", p.c.no, p.c.text)
		return
	}
	s.check(p.to.call(m[1]))
	p.to.expect(p.letter, numbers(m[2])[0], "")
}

// deed is what a command says it did to a message.
type deed struct {
	touch
	guarded bool // by the modseq that the message had
	skipped bool // it was said to have changed
	doubt   doubt
	copied  uint32
	to      *box
	behind  int // the number of the deed that it follows; 0: any
}

// course is what becomes of a message in some order of what is done to it.
type course struct {
	flags   flags
	gone    bool
	changed bool
	passed  []flags // the flags that it had on the way
	copies  []coming
	doubts  []doubt // what was said to have changed, and had not
}

// take does a deed; false when what was said of it cannot be.
func (c *course) take(d deed, letter int) bool {
	switch {
	case d.copies && (d.copied > 0) == c.gone, d.guarded && !c.gone && !d.skipped && c.changed:
		return false
	case c.gone:
	case d.skipped:
		if d.guarded && !c.changed {
			c.doubts = append(c.doubts, d.doubt)
		}
	case d.store:
		was := c.flags
		c.flags = c.flags.apply(d.op, d.names...)
		c.changed = c.changed || c.flags != was
		c.passed = append(c.passed, c.flags)
	case d.copies:
		c.copies = append(c.copies, coming{letter: letter, uid: d.copied, flags: []flags{c.flags}})
	case d.removes:
		c.gone = true
	case d.purges:
		c.gone = c.flags.has(`\Deleted`)
	}
	return true
}

// serialize looks for the orders in which deeds may have been done, those first that
// leave no doubt.
func (s *stage) serialize(m *mail, deeds []deed) {
	var all []*course
	for order := range orders(len(deeds)) {
		c := &course{flags: m.now()}
		taken := func(i int) bool {
			b := deeds[i].behind
			return (b == 0 || slices.Index(order, b-1) < slices.Index(order, i)) && c.take(deeds[i], m.letter)
		}
		if !slices.ContainsFunc(order, func(i int) bool { return !taken(i) }) {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		s.fail("%v, which had %q: no order of these explains what was said: %+v", m, m.now(), deeds)
		return
	}
	doubts := func(a, b *course) int { return len(a.doubts) - len(b.doubts) }
	slices.SortStableFunc(all, doubts)
	fewest := all[0].doubts
	s.doubts = append(s.doubts, fewest...)
	all = slices.DeleteFunc(all, func(c *course) bool { return len(c.doubts) > len(fewest) })
	var stays, goes bool
	var ends []flags
	for _, c := range all {
		m.was = append(m.was, c.passed...)
		stays, goes = stays || !c.gone, goes || c.gone
		if !c.gone {
			ends = append(ends, c.flags)
		}
	}
	if stays {
		m.set(ends[0])
	}
	m.either, m.gone, m.perhaps = ends, !stays, stays && goes
	for i, d := range deeds {
		if d.copied > 0 {
			d.to.coming = append(d.to.coming, copyOf(all, deeds[i].copied))
		}
	}
}

// copyOf is the copy of that UID with the flags that it may have: its letters and its
// other keywords are not of one moment, where a STORE is under way.
func copyOf(all []*course, uid uint32) (out coming) {
	for _, c := range all {
		for _, copy := range c.copies {
			if copy.uid == uid {
				out = coming{letter: copy.letter, uid: uid, flags: append(out.flags, copy.flags...), mixed: true}
			}
		}
	}
	return out
}

// orders yields the orders of n things.
func orders(n int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		order := make([]int, 0, n)
		var rest func() bool
		rest = func() bool {
			if len(order) == n {
				return yield(order)
			}
			for i := range n {
				if slices.Contains(order, i) {
					continue
				}
				order = append(order, i)
				if !rest() {
					return false
				}
				order = order[:len(order)-1]
			}
			return true
		}
		rest()
	}
}

// catchUp has a session hear of what others did while its last command was under way.
func (s *stage) catchUp(c *session) {
	before := c.answer
	s.check(c.do("NOOP"))
	c.told, c.dropped, c.odd = append(before.told, c.told...), append(before.dropped, c.dropped...), append(before.odd, c.odd...)
	s.look()
	if len(s.wrong) == 0 {
		s.settle(c)
	}
}
