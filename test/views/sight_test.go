package views

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"posthorn/test/suite"
)

// command has a session give a command that must be done. What it did the caller
// tells the model with then, before the views are compared.
func (s *stage) command(c *session, command string, then ...func()) bool {
	ok := s.try(c, command, then...)
	if !ok && len(s.wrong) == 0 {
		s.fail("session %d: got %s %s", c.no, c.status, c.text)
	}
	return ok
}

// try is command for one that may be refused: nothing is done then.
func (s *stage) try(c *session, command string, then ...func()) bool {
	s.tally.commands++
	err := c.do(command)
	said, _, _ := strings.Cut(command, "\r\n")
	s.note("  %d: %s: %s %s", c.no, said, c.status, c.text)
	s.tally.untagged += len(c.lines)
	if err != nil {
		s.fail("session %d: %s: %v", c.no, said, err)
		return false
	}
	if c.status == "OK" {
		for _, f := range then {
			f()
		}
	}
	s.look()
	if len(s.wrong) == 0 {
		s.settle(c)
	}
	return c.status == "OK" && len(s.wrong) == 0
}

// refused wants a command to be refused.
func (s *stage) refused(c *session, command, want string) {
	if s.try(c, command) || c.status != want && len(s.wrong) == 0 {
		s.fail("session %d: %s: got %s %s, want %s", c.no, command, c.status, c.text, want)
	}
}

// stirring is how long what another program did beside a session in IDLE may stay
// unseen: the server may just have been changing the same folder for that session,
// and knows its own changes from those of others only by what inotify says, which
// it reads every 30 ms.
const stirring = time.Second

// settle compares a session's view with the model's, now that it has heard of
// everything that it may hear of.
func (s *stage) settle(c *session) {
	for _, text := range c.odd {
		s.fail("session %d: %s", c.no, text)
	}
	if c.box == nil {
		return
	}
	faults := c.faults()
	if len(faults) > 0 && time.Since(s.stirred) < stirring {
		s.note("  %d: late: %s", c.no, strings.Join(faults, "; "))
		s.tally.late++
		faults = s.later(c)
	}
	for _, fault := range faults {
		s.fail("session %d, %s: %s", c.no, c.box.name, fault)
	}
	for _, e := range c.view {
		if e.m != nil {
			e.from, e.m.back = len(e.m.was)-1, false
		}
	}
	c.answer = answer{fetched: map[*entry]string{}, status: c.status, text: c.text, lines: c.lines}
}

// later asks until what another program did is seen.
func (s *stage) later(c *session) (faults []string) {
	said := c.answer
	for ok := true; ok && time.Since(s.stirred) < stirring; {
		s.check(c.do("NOOP"))
		said.told, said.dropped = append(said.told, c.told...), append(said.dropped, c.dropped...)
		c.answer = said
		s.look()
		faults = c.faults()
		ok = len(faults) > 0 && len(s.wrong) == 0
	}
	return faults
}

// faults says what a session's view has that the model has not, or otherwise.
func (c *session) faults() (wrong []string) {
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	wrong = append(wrong, c.bind()...)
	for _, e := range c.dropped {
		if e.m != nil && !e.m.gone { // nil: it came and went
			fault("phantom EXPUNGE of %v", e.m)
		}
	}
	for _, t := range c.told {
		if t.e.m != nil && !slices.Contains(t.e.m.was[t.e.from:], t.flags) {
			fault("told the flags %q of %v, which has had %q since", t.flags, t.e.m, t.e.m.was[t.e.from:])
		}
	}
	for n, e := range c.view {
		switch {
		case e.m == nil:
			fault("message %d is not there", n+1)
		case e.m.gone && !c.quiet:
			fault("not told that message %d, %v, is gone", n+1, e.m)
		case e.uid != 0 && e.uid != e.m.uid:
			fault("message %d has the UID %d, want that of %v", n+1, e.uid, e.m)
		case e.m.gone:
		case e.known && e.flags != e.m.now():
			fault("knows the flags %q of message %d, %v, which has %q", e.flags, n+1, e.m, e.m.now())
		}
	}
	return wrong
}

// bind says of what is new in a view which messages it must be: those of the
// mailbox that it has not had, in the order of their UIDs.
func (c *session) bind() (wrong []string) {
	have, last := map[*mail]bool{}, uint32(0)
	for _, e := range slices.Concat(c.view, c.dropped) {
		if e.m != nil {
			have[e.m], last = true, max(last, e.m.uid)
		}
	}
	new := slices.DeleteFunc(slices.Clone(c.view), func(e *entry) bool { return e.m != nil })
	for _, m := range c.box.live() {
		if have[m] {
			continue
		}
		if len(new) == 0 || m.uid == 0 || m.uid <= last {
			wrong = append(wrong, fmt.Sprintf("not told of %v; the last it knows is %d", m, last))
			continue
		}
		e := new[0]
		e.m, new = m, new[1:]
		if !c.idled { // else it came meanwhile
			e.from = len(m.was) - 1
		}
	}
	return wrong
}

// wake ends an IDLE: all that happened meanwhile is told by then.
func (s *stage) wake(c *session) {
	if !c.idle {
		return
	}
	c.idle, c.idled = false, true
	fmt.Fprint(c.conn, "DONE\r\n")
	err := c.await(fmt.Sprintf("t%d ", c.tags))
	s.note("  %d: DONE: %s %s", c.no, c.status, c.text)
	if err != nil {
		s.fail("session %d: DONE: %v", c.no, err)
		return
	}
	s.look()
	if len(s.wrong) == 0 {
		s.settle(c)
	}
}

// hears waits until a session in IDLE seems to have been told everything without
// asking. Only the end of the IDLE says which messages those are that it was told
// of: some may have come and gone.
func (s *stage) hears(c *session) {
	s.note("  %d: hears of it all", c.no)
	for {
		s.look()
		if len(s.wrong) > 0 {
			return
		}
		loose := slices.DeleteFunc(slices.Concat(c.view, c.dropped), func(e *entry) bool { return e.m != nil })
		faults := c.faults()
		for _, e := range loose {
			e.m = nil
		}
		if len(faults) == 0 {
			return
		}
		line, err := c.line(suite.Limit / 4)
		if err == nil {
			err = c.untagged(line)
		}
		if err != nil {
			s.fail("session %d in IDLE: %v: %s", c.no, err, strings.Join(faults, "\n"))
			return
		}
	}
}

// doomed wants sessions to be told that their mailbox is gone, and has them log
// in again.
func (s *stage) doomed(of *box, except *session) {
	for _, c := range s.sessions {
		if c == except || c.box != of {
			continue
		}
		var err error
		if c.idle {
			err = c.await("t ") // which never comes
		} else {
			err = c.do("NOOP")
		}
		if !errors.Is(err, errBye) {
			s.fail("session %d: got %v %s, want BYE: %s is gone", c.no, err, c.status, of.name)
		}
		s.relogin(c)
	}
}

// relogin puts another session in the place of one.
func (s *stage) relogin(c *session) {
	c.conn.Close()
	fresh, err := s.login(c.no)
	s.check(err)
	if err == nil {
		*c = *fresh
	}
}

// sorted returns the mailboxes by name.
func (s *stage) sorted() (all []*box) {
	for _, name := range slices.Sorted(maps.Keys(s.boxes)) {
		all = append(all, s.boxes[name])
	}
	return all
}
