package views

import (
	"fmt"
	"math/rand/v2"
	"net/textproto"
	"slices"
	"strings"

	"posthorn/test/instance"
)

// drop is a POP3 session.
type drop struct {
	*textproto.Conn
	mails   []*mail
	seen    map[*mail]bool
	deleted map[*mail]bool
}

// pops begins a POP3 session, or goes on with it.
func (s *stage) pops(r *rand.Rand) {
	if s.pop == nil {
		s.loginPOP()
		return
	}
	if r.IntN(3) == 0 || len(s.pop.mails) == 0 {
		s.quit()
		return
	}
	n := r.IntN(len(s.pop.mails))
	m := s.pop.mails[n]
	switch r.IntN(3) {
	case 0:
		s.retrieve(n+1, m)
	case 1:
		if _, ok := s.say("DELE %d", n+1); ok {
			s.pop.deleted[m] = true
		} else if !s.pop.deleted[m] {
			s.fail("POP3: DELE of %v", m)
		}
	default:
		s.say("RSET")
		clear(s.pop.deleted)
	}
}

// say gives a POP3 command and reports whether it was answered with +OK.
func (s *stage) say(format string, args ...any) (string, bool) {
	command := fmt.Sprintf(format, args...)
	if command != "" {
		s.check(s.pop.PrintfLine("%s", command))
	}
	line, err := s.pop.ReadLine()
	s.check(err)
	s.note("  POP3: %s: %s", command, line)
	return line, strings.HasPrefix(line, "+OK")
}

// loginPOP wants to see the INBOX as it is now.
func (s *stage) loginPOP() {
	conn, err := textproto.Dial("tcp", s.site.Addr["pop3"])
	if err != nil {
		s.check(err)
		return
	}
	s.pop = &drop{Conn: conn, seen: map[*mail]bool{}, deleted: map[*mail]bool{}}
	for _, command := range []string{"", "USER " + s.user, "PASS " + instance.Password} {
		if _, ok := s.say("%s", command); !ok {
			s.fail("POP3: %s", command)
			return
		}
	}
	s.look() // it has given UIDs
	s.pop.mails = s.boxes["INBOX"].live()
	s.tally.pops++
	var want []string
	for n, m := range s.pop.mails {
		want = append(want, fmt.Sprintf("%d %d", n+1, len(m.text)))
	}
	if _, ok := s.say("LIST"); !ok || len(s.wrong) > 0 {
		s.fail("POP3: LIST")
		return
	}
	if got, err := s.pop.ReadDotLines(); err != nil || !slices.Equal(got, want) {
		s.fail("POP3: LIST: got %q, want %q (%v)", got, want, err)
	}
}

// retrieve reads a message: another session may have removed it.
func (s *stage) retrieve(n int, m *mail) {
	_, ok := s.say("RETR %d", n)
	if !ok {
		if !m.gone && !s.pop.deleted[m] {
			s.fail("POP3: RETR of %v", m)
		}
		return
	}
	lines, err := s.pop.ReadDotLines()
	if text := strings.Join(lines, "\r\n") + "\r\n"; err != nil || text != m.text {
		s.fail("POP3: %v has other bytes: %q (%v)", m, text, err)
	}
	s.pop.seen[m] = true
}

// quit ends the POP3 session, which removes and marks.
func (s *stage) quit() {
	line, ok := s.say("QUIT")
	if !ok {
		s.fail("POP3: QUIT: %s", line)
	}
	for m := range s.pop.seen {
		if !s.pop.deleted[m] && !m.gone {
			m.set(m.now().apply('+', `\Seen`))
		}
	}
	for m := range s.pop.deleted {
		m.gone = true
	}
	s.pop.Close()
	s.pop = nil
}
