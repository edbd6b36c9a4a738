package views

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// site is a server with many users.
type site struct {
	*instance.Instance
	shared bool
	users  atomic.Int64
}

// crowd is how many users there are: each history has its own.
const crowd = 50_000

func newSite(t *testing.T, conf string) *site {
	var users strings.Builder
	for n := range crowd {
		fmt.Fprintf(&users, "u%d@%s:{PLAIN}%s\n", n, instance.Domain, instance.Password)
	}
	return &site{shared: conf != "", Instance: suite.Server(t, instance.Options{
		Users: []string{suite.Ann}, Files: map[string]string{"users": users.String()}, Conf: conf})}
}

// stage is one user with his mailboxes, and all who look at them.
type stage struct {
	t        *testing.T
	site     *site
	user     string
	dir      string // the Maildir
	boxes    map[string]*box
	wanted   map[string]bool // subscriptions
	known    map[string]bool // every UIDVALIDITY that was given out
	sessions []*session
	pop      *drop
	letters  int
	caches   map[*box]*cache // of a client that comes and goes
	doubts   []doubt
	stirred  time.Time // when another program changed files beside a session in IDLE

	done  int // acts
	wrong []string
	diary []string
	tally tally
}

// newStage makes a stage with sessions that have nothing selected.
func newStage(t *testing.T, at *site) *stage {
	user := fmt.Sprintf("u%d", at.users.Add(1)-1)
	s := &stage{t: t, site: at, user: user + "@" + instance.Domain, boxes: map[string]*box{"INBOX": {name: "INBOX"}},
		dir: filepath.Join(at.Dir, "mail", instance.Domain, user, "Maildir"), wanted: map[string]bool{}, known: map[string]bool{}, caches: map[*box]*cache{}}
	for n := range 3 {
		c, err := s.login(n)
		if err != nil {
			s.fail("%v", err)
			return s
		}
		s.sessions = append(s.sessions, c)
	}
	return s
}

func (s *stage) close() {
	for _, c := range s.sessions {
		c.conn.Close()
	}
	if s.pop != nil {
		s.pop.Close()
	}
	if len(s.wrong) == 0 {
		os.RemoveAll(filepath.Dir(s.dir))
	}
}

func (s *stage) note(format string, args ...any) {
	s.diary = append(s.diary, fmt.Sprintf(format, args...))
}

func (s *stage) fail(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	s.note("  WRONG: "+format, args...)
}

// check files an error as a fault.
func (s *stage) check(err error) {
	if err != nil {
		s.fail("%v", err)
	}
}

// look compares all mailboxes with their files.
func (s *stage) look() {
	for _, b := range s.boxes {
		for _, fault := range b.meet(s.read(b)) {
			s.fail("%s", fault)
		}
	}
}

// newLetter returns the number of a letter that there was none of.
func (s *stage) newLetter() int { s.letters++; return s.letters }

// letterText is a message with LF.
func letterText(n int) string {
	return fmt.Sprintf("From: eve@other.test\nSubject: letter %d\nX-Letter: %d\n\n%s\n", n, n, strings.Repeat("words and words\n", n%7))
}

// agree ends a history: everybody hears what is new, and a fresh session sees the
// same.
func (s *stage) agree() {
	for _, c := range s.sessions {
		s.wake(c)
		if c.box != nil {
			s.command(c, "NOOP")
			s.lookAll(c)
		}
	}
	if s.pop != nil {
		s.quit()
	}
	fresh, err := s.login(len(s.sessions))
	if err != nil {
		s.check(err)
		return
	}
	s.sessions = append(s.sessions, fresh)
	for _, b := range s.sorted() {
		s.enter(fresh, b, true)
		s.lookAll(fresh)
	}
	for _, c := range s.sessions {
		if c.box != nil && len(s.wrong) == 0 {
			s.command(c, "NOOP")
		}
	}
}

var errBye = errors.New("BYE")
