package kills

import (
	"context"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// fetcher is a POP3 client that deletes what it has read.
type fetcher struct {
	addr  string
	uidls map[string]int // ever listed, to the letter
	there map[int]bool   // letters; false: its deletion was not answered

	quitting            atomic.Int64 // QUITs that were begun
	lost, deleted, torn int          // QUITs without an answer, messages, QUITs of which a part was done
	faults              []string
}

// perSession is how many messages a session deletes: its QUIT takes so long that
// some are cut short.
const perSession = 10

// newFetcher has messages delivered to carl.
func newFetcher(t *testing.T, f *fleet) *fetcher {
	t.Helper()
	messages := 15 * perSession
	if prove() {
		messages = 200 * perSession
	}
	l := newLoad(f.i.Addr["smtp"])
	p := &fetcher{addr: f.i.Addr["pop3"], uidls: map[string]int{}, there: map[int]bool{}}
	var c *client
	defer func() { c.close() }()
	for range messages {
		m := l.nextOf(2)
		if !l.attempt(t.Context(), &c, m) {
			t.Fatalf("letter %d was not taken: %v %v", m.number, l.broken, l.wrong)
		}
		p.there[m.number] = true
	}
	f.drained(suite.Limit)
	return p
}

// run has one session after the other.
func (p *fetcher) run(ctx context.Context) {
	for ctx.Err() == nil && len(p.faults) == 0 && len(p.there) > 0 {
		p.session(perSession)
		pause(ctx)
	}
}

// session compares what is there, deletes some, and reports whether it came to
// its end.
func (p *fetcher) session(remove int) bool {
	nc, err := net.DialTimeout("tcp", p.addr, suite.Limit)
	if err != nil {
		return false
	}
	nc.SetDeadline(time.Now().Add(2 * suite.Limit))
	c := textproto.NewConn(nc)
	defer c.Close()
	for _, command := range []string{"", "USER " + carl, "PASS " + instance.Password} {
		if _, err := p.say(c, command); err != nil {
			return false
		}
	}
	listed, ok := p.list(c)
	if !ok {
		return false
	}
	p.compare(listed)
	return p.remove(c, listed, remove)
}

// say sends a command, or none for the greeting, and wants +OK.
func (p *fetcher) say(c *textproto.Conn, command string) (string, error) {
	if command != "" {
		if err := c.PrintfLine("%s", command); err != nil {
			return "", err
		}
	}
	line, err := c.ReadLine()
	if err == nil && !strings.HasPrefix(line, "+OK") {
		err = fmt.Errorf("%s: %s", command, line)
		if !strings.Contains(line, "[SYS/TEMP]") && !strings.Contains(line, "[IN-USE]") {
			p.faults = append(p.faults, err.Error())
		}
	}
	return line, err
}

// list returns the letter of each message by its number in the session.
func (p *fetcher) list(c *textproto.Conn) (map[int]int, bool) {
	if _, err := p.say(c, "UIDL"); err != nil {
		return nil, false
	}
	lines, err := c.ReadDotLines()
	if err != nil {
		return nil, false
	}
	letters := map[int]int{}
	for _, line := range lines {
		n, uidl, _ := strings.Cut(line, " ")
		k, _ := strconv.Atoi(n)
		letter, known := p.uidls[uidl]
		if !known {
			if letter, err = p.top(c, k); err != nil {
				return nil, false
			}
			p.uidls[uidl] = letter
		}
		letters[k] = letter
	}
	return letters, true
}

func (p *fetcher) top(c *textproto.Conn, k int) (int, error) {
	if _, err := p.say(c, fmt.Sprintf("TOP %d 0", k)); err != nil {
		return 0, err
	}
	lines, err := c.ReadDotLines()
	if err != nil {
		return 0, err
	}
	m := numbered.FindStringSubmatch(strings.Join(lines, "\n"))
	if m == nil {
		return 0, fmt.Errorf("message %d is no letter", k)
	}
	return strconv.Atoi(m[1])
}

// compare wants all that was not deleted, once, and nothing that was.
func (p *fetcher) compare(listed map[int]int) {
	seen := map[int]bool{}
	left, gone := 0, 0 // of those whose QUIT was not answered
	for k, letter := range listed {
		if _, known := p.there[letter]; !known || seen[letter] {
			p.faults = append(p.faults, fmt.Sprintf("message %d is letter %d, which was deleted or is there twice", k, letter))
		}
		seen[letter] = true
	}
	for letter, certain := range p.there {
		switch {
		case seen[letter]:
			if !certain {
				left++
			}
			p.there[letter] = true
		case certain:
			p.faults = append(p.faults, fmt.Sprintf("LOST: letter %d", letter))
		default:
			gone++
			delete(p.there, letter)
		}
	}
	if left > 0 && gone > 0 {
		p.torn++
	}
}

// remove deletes some messages; they are gone for certain when QUIT is answered
// (RFC 1939 6).
func (p *fetcher) remove(c *textproto.Conn, listed map[int]int, most int) bool {
	var marked []int
	for k, letter := range listed {
		if len(marked) == most {
			break
		}
		if _, err := p.say(c, fmt.Sprintf("DELE %d", k)); err != nil {
			return false
		}
		marked = append(marked, letter)
	}
	for _, letter := range marked {
		p.there[letter] = false
	}
	p.quitting.Add(1)
	if _, err := p.say(c, "QUIT"); err != nil {
		p.lost++
		return false
	}
	for _, letter := range marked {
		delete(p.there, letter)
		p.deleted++
	}
	return true
}

// awaitQuit returns when another session sends its QUIT, or none does for a
// while.
func (p *fetcher) awaitQuit() {
	begun, end := p.quitting.Load(), time.Now().Add(time.Second)
	for p.quitting.Load() == begun && time.Now().Before(end) {
		time.Sleep(100 * time.Microsecond)
	}
}

// finish looks a last time when nobody kills any more.
func (p *fetcher) finish(t *testing.T) {
	t.Helper()
	suite.Eventually(t, "a last session", func() bool { return len(p.faults) > 0 || p.session(0) })
	for _, text := range p.faults {
		t.Errorf("POP3: %s", text)
	}
}
