package kills

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"posthorn/test/suite"
)

// load sends letters on several connections that last until a daemon's death
// ends them.
type load struct {
	addr string

	mu      sync.Mutex
	letters []*letter
	good    int              // acknowledged
	broken  map[string]int   // what became of the other attempts
	wrong   map[string]error // replies that no death excuses
}

func newLoad(addr string) *load {
	return &load{addr: addr, broken: map[string]int{}, wrong: map[string]error{}}
}

// run sends until ctx is done. Half of the senders try a letter again that was
// not acknowledged; the others leave it.
func (l *load) run(ctx context.Context, senders int) {
	var wg sync.WaitGroup
	for n := range senders {
		wg.Go(func() { l.sender(ctx, n%2 == 0) })
	}
	wg.Wait()
}

// acknowledged says how many letters were, so far.
func (l *load) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.good
}

func (l *load) next() *letter { return l.add(newLetter) }

// nextOf is next, of a kind.
func (l *load) nextOf(k int) *letter {
	return l.add(func(number int) *letter { return newLetterOf(number, k) })
}

func (l *load) add(make func(number int) *letter) *letter {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := make(len(l.letters))
	l.letters = append(l.letters, m)
	return m
}

func (l *load) sender(ctx context.Context, again bool) {
	var c *client
	defer func() { c.close() }()
	for ctx.Err() == nil {
		m := l.next()
		for ctx.Err() == nil && !l.attempt(ctx, &c, m) && again {
			continue
		}
	}
}

// attempt reports whether the letter was acknowledged; the next one dials anew
// where *c was lost.
func (l *load) attempt(ctx context.Context, c **client, m *letter) bool {
	if *c == nil {
		*c = dial(ctx, l.addr)
	}
	if *c == nil {
		return false
	}
	id, step, err := (*c).send(m)
	l.note(m, id, step, err)
	if err == nil {
		return true
	}
	var reply *textproto.Error
	if !errors.As(err, &reply) {
		(*c).close()
		*c = nil
		return false
	}
	pause(ctx)
	return false
}

// pause is how long a client leaves a server alone whose daemons are being
// started again.
func pause(ctx context.Context) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
}

// note files what became of an attempt.
func (l *load) note(m *letter, id, step string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.good++
		m.acknowledged = append(m.acknowledged, id)
		return
	}
	if step == "dot" {
		m.unsure++
	}
	var reply *textproto.Error
	switch {
	case !errors.As(err, &reply):
		l.broken["lost at "+step]++
	case reply.Code/100 == 4:
		l.broken[fmt.Sprintf("%d at %s", reply.Code, step)]++
	default:
		l.wrong[step] = err
	}
}

// client is one connection.
type client struct{ text *textproto.Conn }

// dial returns a greeted client, or nil when the server is not there.
func dial(ctx context.Context, addr string) *client {
	nc, err := (&net.Dialer{Timeout: suite.Limit}).DialContext(ctx, "tcp", addr)
	if err != nil {
		pause(ctx)
		return nil
	}
	nc.SetDeadline(time.Now().Add(time.Hour))
	c := &client{textproto.NewConn(nc)}
	if _, _, err := c.text.ReadResponse(220); err != nil {
		c.close()
		return nil
	}
	if err := c.say(250, "EHLO client.test"); err != nil {
		c.close()
		return nil
	}
	return c
}

func (c *client) close() {
	if c != nil {
		c.text.Close()
	}
}

// say sends a command and wants its reply.
func (c *client) say(want int, format string, args ...any) error {
	if err := c.text.PrintfLine(format, args...); err != nil {
		return err
	}
	_, _, err := c.text.ReadResponse(want)
	return err
}

// send returns the id of the acknowledged letter, or the step that failed: at
// "dot" the server may have the letter all the same.
func (c *client) send(m *letter) (id, step string, err error) {
	step, err = c.envelope(m)
	if err != nil {
		var reply *textproto.Error
		if errors.As(err, &reply) {
			if err := c.say(250, "RSET"); err != nil {
				return "", "RSET", errors.New("lost at RSET")
			}
		}
		return "", step, err
	}
	w := c.text.DotWriter()
	if _, err := w.Write([]byte(m.text())); err != nil {
		return "", "text", err
	}
	if err := w.Close(); err != nil {
		return "", "dot", err // some of it may have gone out
	}
	_, text, err := c.text.ReadResponse(250)
	if err != nil {
		return "", "dot", err
	}
	return ofReply(text), "", nil
}

// envelope sends MAIL and RCPT in one go, then DATA.
func (c *client) envelope(m *letter) (step string, err error) {
	fmt.Fprintf(c.text.W, "MAIL FROM:<%s>\r\n", suite.Ann)
	for _, to := range m.to {
		fmt.Fprintf(c.text.W, "RCPT TO:<%s>\r\n", to)
	}
	if err := c.text.W.Flush(); err != nil {
		return "MAIL", err
	}
	var first error
	for n := range 1 + len(m.to) {
		_, _, err := c.text.ReadResponse(250)
		if first == nil && err != nil {
			step, first = []string{"MAIL", "RCPT"}[min(n, 1)], err
		}
		var reply *textproto.Error
		if err != nil && !errors.As(err, &reply) {
			return step, err
		}
	}
	if first != nil {
		return step, first
	}
	return "DATA", c.say(354, "DATA")
}

// ofReply cuts the id out of "2.0.0 … <id> queued".
func ofReply(text string) string {
	words := strings.Fields(text)
	for n, w := range words {
		if w == "queued" && n > 0 {
			return words[n-1]
		}
	}
	return "no id in " + text
}
