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

// names are the flags that sessions set: those that every program has, and some
// keywords; more than have letters, if all are used.
func someFlags(r *rand.Rand) (all []string) {
	for range 1 + r.IntN(2)*r.IntN(3) {
		all = append(all, history.Pick(r, `\Seen`, `\Seen`, `\Flagged`, `\Answered`, `\Deleted`, `\Deleted`, `\Draft`, "Work", "$Forwarded", fmt.Sprintf("k%d", r.IntN(8))))
	}
	if r.IntN(12) == 0 {
		for range 12 {
			all = append(all, fmt.Sprintf("k%d", r.IntN(40)))
		}
	}
	return flagsOf(all...).names()
}

// awake returns a session that can be given a command.
func (s *stage) awake(r *rand.Rand) *session {
	c := s.sessions[r.IntN(len(s.sessions))]
	s.wake(c)
	return c
}

// inside returns one that has a mailbox selected.
func (s *stage) inside(r *rand.Rand) *session {
	c := s.awake(r)
	if c.box == nil && len(s.wrong) == 0 {
		s.enter(c, s.anyBox(r), r.IntN(6) == 0)
	}
	return c
}

// full is inside where the mailbox has messages, as the session knows.
func (s *stage) full(r *rand.Rand) (*session, bool) {
	c := s.inside(r)
	if len(s.wrong) > 0 {
		return c, false
	}
	if len(c.view) == 0 {
		s.appendTo(r, c, c.box)
	}
	return c, len(s.wrong) == 0 && len(c.view) > 0
}

func (s *stage) anyBox(r *rand.Rand) *box {
	if r.IntN(2) == 0 {
		return s.boxes["INBOX"]
	}
	return history.Pick(r, s.sorted()...)
}

// messages chooses some of a view's messages; with byUID the numbers are UIDs,
// which the client has to know.
func (s *stage) messages(r *rand.Rand, c *session, byUID bool) (set string, of []*entry) {
	for byUID && slices.ContainsFunc(c.view, func(e *entry) bool { return e.uid == 0 }) {
		if !s.command(c, "UID FETCH 1:* (FLAGS)") || len(c.view) == 0 {
			return "", nil
		}
	}
	name := func(i int) string {
		if byUID {
			return strconv.Itoa(int(c.view[i].uid))
		}
		return strconv.Itoa(i + 1)
	}
	i, j := r.IntN(len(c.view)), r.IntN(len(c.view))
	lo, hi := min(i, j), max(i, j)
	switch r.IntN(6) {
	case 0:
		return "1:*", slices.Clone(c.view)
	case 1:
		return name(j) + ":" + name(i), slices.Clone(c.view[lo : hi+1])
	case 2:
		return name(i) + ":*", slices.Clone(c.view[i:])
	case 3:
		return "*", slices.Clone(c.view[len(c.view)-1:])
	case 4:
		if lo != hi {
			return name(i) + "," + name(j), []*entry{c.view[lo], c.view[hi]}
		}
	}
	return name(i), slices.Clone(c.view[i : i+1])
}

// alive returns the messages of entries that are there.
func alive(of []*entry) (all []*entry) {
	for _, e := range of {
		if e.m != nil && !e.m.gone {
			all = append(all, e)
		}
	}
	return all
}

func (s *stage) selects(r *rand.Rand) {
	s.enter(s.awake(r), s.anyBox(r), r.IntN(5) == 0)
}

var (
	validityIn = regexp.MustCompile(`\[UIDVALIDITY (\d+)\]`)
	nextIn     = regexp.MustCompile(`\[UIDNEXT (\d+)\]`)
	unseenIn   = regexp.MustCompile(`\[UNSEEN (\d+)\]`)
)

// enter selects a mailbox, and most often fetches all flags.
func (s *stage) enter(c *session, b *box, readOnly bool) {
	c.box, c.view, c.readOnly, c.defined = b, nil, readOnly, ""
	command := "SELECT "
	if readOnly {
		command = "EXAMINE "
	}
	if !s.command(c, command+b.name) {
		return
	}
	said := strings.Join(c.lines, "")
	s.check(b.call(first(validityIn, said)))
	next, _ := strconv.ParseUint(first(nextIn, said), 10, 32)
	s.check(b.announce(uint32(next)))
	unseen := ""
	if n := slices.IndexFunc(c.view, func(e *entry) bool { return !e.m.now().has(`\Seen`) }); n >= 0 {
		unseen = strconv.Itoa(n + 1)
	}
	if got := first(unseenIn, said); got != unseen {
		s.fail("session %d, %s: got UNSEEN %q, want %q", c.no, b.name, got, unseen)
	}
	if s.letters%4 > 0 {
		s.lookAll(c)
	}
}

func first(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// lookAll has a session fetch what it may keep, and with it know all.
func (s *stage) lookAll(c *session) {
	items := "UID FLAGS RFC822.SIZE"
	if c.condstore() {
		items += " MODSEQ"
	}
	if len(c.view) > 0 && len(s.wrong) == 0 {
		s.ask(c, "FETCH 1:* ("+items+")", slices.Clone(c.view), false)
	}
}

func (s *stage) noops(r *rand.Rand) {
	s.command(s.awake(r), history.Pick(r, "NOOP", "NOOP", "CAPABILITY"))
}

func (s *stage) fetches(r *rand.Rand) {
	c, ok := s.full(r)
	byUID := r.IntN(2) == 0
	if !ok {
		return
	}
	set, of := s.messages(r, c, byUID)
	if set == "" || len(s.wrong) > 0 {
		return
	}
	items := history.Pick(r, "FLAGS", "(UID FLAGS)", "(FLAGS RFC822.SIZE)", "(UID RFC822.SIZE)", "BODY.PEEK[]", "BODY[]", "(FLAGS BODY[])")
	s.ask(c, prefix(byUID)+"FETCH "+set+" "+items, of, strings.Contains(items, "BODY[]"))
}

func prefix(byUID bool) string {
	if byUID {
		return "UID "
	}
	return ""
}

// ask fetches, and wants an answer for each message that is there.
func (s *stage) ask(c *session, command string, of []*entry, marks bool) {
	s.command(c, command, func() {
		for _, e := range alive(of) {
			if marks && !c.readOnly {
				see(e)
			}
			s.read1(c, e, command)
		}
	})
}

// see marks a message as read. Where another program has taken \Seen away, and the
// session was not told yet, it may stay so.
func see(e *entry) {
	seen := e.m.now().apply('+', `\Seen`)
	if slices.ContainsFunc(e.m.was[e.from:], func(f flags) bool { return f.has(`\Seen`) }) {
		e.m.either = []flags{seen, e.m.now()}
		return
	}
	e.m.set(seen)
}

// read1 checks what a FETCH said of a message.
func (s *stage) read1(c *session, e *entry, command string) {
	said := c.fetched[e]
	if said == "" {
		s.fail("session %d: %s: no answer for %v", c.no, command, e.m)
		return
	}
	if strings.Contains(command, "SIZE") {
		if got := first(sizeIn, said); got != strconv.Itoa(len(e.m.text)) {
			s.fail("session %d: %v has RFC822.SIZE %s, want %d", c.no, e.m, got, len(e.m.text))
		}
	}
	if strings.Contains(command, "BODY") && !strings.Contains(said, fmt.Sprintf("BODY[] {%d}\r\n%s", len(e.m.text), e.m.text)) {
		s.fail("session %d: %v has other bytes: %q", c.no, e.m, said)
	}
}

func (s *stage) stores(r *rand.Rand) {
	c, ok := s.full(r)
	byUID := r.IntN(2) == 0
	if !ok {
		return
	}
	set, of := s.messages(r, c, byUID)
	if set == "" || len(s.wrong) > 0 {
		return
	}
	op, names := history.Pick(r, byte('+'), '+', '+', '-', '-', 0), someFlags(r)
	word := strings.Trim(string(op), "\x00") + "FLAGS"
	silent := r.IntN(3) == 0
	if silent {
		word += ".SILENT"
	}
	g := someGuard(r, c, of)
	command := fmt.Sprintf("%sSTORE %s%v %s (%s)", prefix(byUID), set, g, word, strings.Join(names, " "))
	if c.readOnly {
		s.refused(c, command, "NO")
		return
	}
	s.command(c, command, func() { s.stored(c, s.pass(c, of, byUID, g), op, names, silent) })
	s.dispel()
}

// stored tells the model, and of a silent STORE the client, what was done.
func (s *stage) stored(c *session, of []*entry, op byte, names []string, silent bool) {
	for _, e := range alive(of) {
		e.m.set(e.m.now().apply(op, names...))
		switch {
		case silent && e.known && !flagsIn.MatchString(c.fetched[e]):
			e.silently(c.fetched[e], op, names)
		case !silent && c.fetched[e] == "":
			s.fail("session %d: STORE: no answer for %v", c.no, e.m)
		}
	}
}

// silently changes what a client knows of a message without being told of its flags:
// by what it asked for, and with the modseq that it may be told.
func (e *entry) silently(said string, op byte, names []string) {
	e.flags = e.flags.apply(op, names...)
	if modseq, err := strconv.ParseUint(first(modseqIn, said), 10, 64); err == nil {
		e.modseq = modseq
	}
}

func (s *stage) appends(r *rand.Rand) {
	s.appendTo(r, s.awake(r), s.anyBox(r))
}

var appendUID = regexp.MustCompile(`\[APPENDUID (\d+) (\d+)\]`)

func (s *stage) appendTo(r *rand.Rand, c *session, b *box) {
	if len(s.wrong) > 0 {
		return
	}
	n := s.newLetter()
	text := strings.ReplaceAll(letterText(n), "\n", "\r\n")
	f := flags("")
	if r.IntN(2) == 0 {
		f = flagsOf(someFlags(r)...)
	}
	s.command(c, fmt.Sprintf("APPEND %s (%s) {%d+}\r\n%s", b.name, f, len(text), text), func() {
		m := appendUID.FindStringSubmatch(c.text)
		if m == nil {
			s.fail("session %d: no APPENDUID: %s", c.no, c.text)
			return
		}
		s.check(b.call(m[1]))
		uid, _ := strconv.ParseUint(m[2], 10, 32)
		b.expect(n, uint32(uid), f)
	})
}

func (s *stage) expunges(r *rand.Rand) {
	c, ok := s.full(r)
	if !ok {
		return
	}
	set, of, command := "", slices.Clone(c.view), "EXPUNGE"
	if r.IntN(2) == 0 {
		if set, of = s.messages(r, c, true); set == "" || len(s.wrong) > 0 {
			return
		}
		command = "UID EXPUNGE " + set
	}
	if c.readOnly {
		s.refused(c, command, "NO")
		return
	}
	s.command(c, command, func() { deleted(of) })
}

// deleted removes those of messages that are \Deleted. Where another program had a
// hand in that, and the session was not told yet, they may stay or go.
func deleted(of []*entry) {
	for _, e := range alive(of) {
		since := e.m.was[e.from:]
		not := slices.ContainsFunc(since, func(f flags) bool { return !f.has(`\Deleted`) })
		e.m.gone = !not
		e.m.perhaps = not && e.m.now().has(`\Deleted`)
	}
}

// leaves closes a mailbox in one of the two ways.
func (s *stage) leaves(r *rand.Rand) {
	c := s.inside(r)
	if len(s.wrong) > 0 {
		return
	}
	command := history.Pick(r, "CLOSE", "CLOSE", "UNSELECT")
	of := c.view
	c.box, c.view = nil, nil
	s.command(c, command, func() {
		if command == "CLOSE" && !c.readOnly {
			deleted(of)
		}
	})
}

// idles begins an IDLE, or has one hear what there is.
func (s *stage) idles(r *rand.Rand) {
	for _, c := range s.sessions {
		if c.idle && c.box != nil && r.IntN(2) == 0 {
			s.hears(c)
			return
		}
	}
	c := s.inside(r)
	if len(s.wrong) > 0 {
		return
	}
	c.tags++
	c.answer, c.quiet, c.idle, c.idled = answer{fetched: map[*entry]string{}}, false, true, true
	fmt.Fprintf(c.conn, "t%d IDLE\r\n", c.tags)
	s.note("  %d: IDLE", c.no)
	s.check(c.await("+ "))
}
