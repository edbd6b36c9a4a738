package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/dsn"
	"posthorn/internal/durable"
	"posthorn/internal/id"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
	"posthorn/test/history"
)

// letter is what the model knows of a message: of one that was handed in, or of a
// notice from when somebody was asked to take it.
type letter struct {
	id string
	no int
	spool.Envelope
	targets []goal
	places  map[string]*spot

	acked   bool // its maker was told that it is kept
	refused bool // he was told that no box takes it
	round   int  // the queue has refused it so often
	strays  bool // he was not, and yet it may be there: W1
	waived  bool // the administrator wanted it gone
	gone    bool // it has left the queue
	goneAt  time.Time
	want    bool // held, as the administrator last said
	held    bool // and nothing can run any more that began before
	weak    bool // what he said may not be on the disk
	late    bool // somebody said later when a warning was due
	overdue bool // and that was not cut short: there must be a warning

	told   map[string]int // "action recipient", of failures and successes
	delays []string       // recipients, by delay notices
	warned int            // notices of delay
}

// goal is where a recipient leads.
type goal struct {
	key  string // of a place; "" for nowhere
	orig int
	same bool // an earlier goal of this place gets the message
}

// spot is one box, or one address of another host, for one letter.
type spot struct {
	tries  int
	copies int // that it has taken
	never  bool
	again  bool         // W1: it was tried behind its end, for a copy was found
	final  verdict.Kind // that it said to a queue that lived on; 0: none
	sure   bool         // and nothing of that pass can be lost any more
	maybe  bool         // a final verdict of it may be known, or not
}

func (l *letter) String() string {
	kind := "message"
	if l.Origin == "bounce" {
		kind = "notice"
	}
	return fmt.Sprintf("%s %d (%s)", kind, l.no, l.id)
}

// newLetter makes a letter known. s.mu is held.
func (s *stage) newLetter(env spool.Envelope) *letter {
	l := &letter{id: env.ID, no: len(s.order), Envelope: env, places: map[string]*spot{}, told: map[string]int{}}
	l.targets = expand(env.Rcpts)
	for _, g := range l.targets {
		if g.key != "" && l.places[g.key] == nil {
			l.places[g.key] = &spot{}
		}
	}
	s.letters[l.id] = l
	s.order = append(s.order, l)
	return l
}

// expand says where recipients lead: to each place once, and where a sender asked
// for reports, once more for each recipient, of which he is told apart.
func expand(rcpts []spool.Rcpt) []goal {
	var all []goal
	first := map[string]int{}
	twin := map[string]bool{}
	for orig, rcpt := range rcpts {
		targets := leads(rcpt.String())
		if targets == nil {
			all = append(all, goal{orig: orig})
		}
		for _, t := range targets {
			g := goal{key: string(t.Kind) + " " + t.Value, orig: orig}
			earlier, ok := first[g.key]
			if !ok {
				first[g.key] = orig
				all = append(all, g)
				continue
			}
			asked := rcpts[earlier].Rcpt != (dsn.Rcpt{}) || rcpt.Rcpt != (dsn.Rcpt{})
			again := fmt.Sprint(g.key, orig)
			if earlier != orig && asked && !twin[again] {
				twin[again], g.same = true, true
				all = append(all, g)
			}
		}
	}
	return all
}

// ordered notes a word of the administrator that was taken.
func (l *letter) ordered(what string) {
	switch what {
	case "hold":
		l.want, l.weak = true, false
	case "release":
		l.want, l.held, l.weak = false, false, false
	case "remove":
		l.waived, l.held = true, false
	}
}

// submit hands in a message, as smtpd does, whose answer may be lost.
func (s *stage) submit(r *rand.Rand) {
	env := spool.Envelope{ID: id.New(), Time: time.Now().Truncate(time.Microsecond), Origin: "smtp", Body: "7bit"}
	env.From, _ = addr.ParseOrNull(history.Pick(r, "ann@test", "ann@test", "zed@far.example", ""))
	far := r.IntN(2) == 0 // else boxes alone, and no wishes
	for range 1 + r.IntN(4) {
		a, err := addr.Parse(history.Pick(r, "b0@test", "b1@test", "b2@test", "r0@one.example", "r1@one.example", "r1@dsn.example",
			"again@test", "far@test", "both@test", "mixed@test", "none@test"))
		if err != nil {
			s.t.Fatal(err)
		}
		if !far {
			a, _ = addr.Parse(history.Pick(r, "b0@test", "b1@test", "b2@test", "again@test", "both@test"))
		}
		rcpt := spool.Rcpt{Address: a}
		rcpt.Notify = history.Pick(r, 0, 0, 0, dsn.Never, dsn.Success, dsn.Failure, dsn.Delay, dsn.Success|dsn.Failure, dsn.Success|dsn.Failure|dsn.Delay)
		if !far {
			rcpt.Notify = 0
		}
		env.Rcpts = append(env.Rcpts, rcpt)
	}
	in := spool.Incoming{Dir: filepath.Join(s.conf.Spool, "incoming"), Disk: &durable.Disk{}}
	d, err := in.New(env)
	if err != nil {
		s.t.Fatal(err)
	}
	defer d.Close()
	io.WriteString(d, body)
	var l *letter
	s.model(func() { l = s.newLetter(env); s.tally.messages++ })
	how := history.Pick(r, "once", "once", "once", "twice", "lost", "kept")
	before := s.disk.failures()
	err = s.handIn(d, l, how)
	s.model(func() {
		l.acked, l.refused = err == nil, verdict.Of(err).Kind == verdict.Never
		s.count(l)
		l.strays = err != nil && (s.disk.dead() || s.disk.failures() > before || how == "twice" && errors.Is(err, spool.ErrExists))
		if err != nil && !l.strays && !l.refused {
			s.fail("%v was refused: %v", l, err)
		}
	})
	s.note("  %v from %q to %v, %s: %v", l, l.From.String(), env.Rcpts, how, err)
}

// handIn is smtpd's part: nil says that it may answer 250.
func (s *stage) handIn(d *spool.Draft, l *letter, how string) error {
	if how == "kept" {
		return d.Keep()
	}
	if err := d.Finish(); err != nil {
		return err
	}
	err := s.hand(d, l)
	if how == "twice" && !s.disk.dead() {
		err = s.hand(d, l)
	}
	if how == "lost" || s.disk.dead() {
		err = d.Keep()
	}
	return err
}

// hand gives the queue a draft, with a descriptor that is its own from then on.
func (s *stage) hand(d *spool.Draft, l *letter) error {
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		return err
	}
	err = s.queue.Submit(context.Background(), l.id, ro)
	if err != nil {
		s.model(func() { l.round++ })
	}
	if verdict.Of(err).Kind == verdict.Never {
		s.model(func() { s.forgotten(l) })
	}
	return err
}

// forgotten: a letter that every box refused at once is as though nobody had seen
// it; it may come again. s.mu is held.
func (s *stage) forgotten(l *letter) {
	for key, p := range l.places {
		if p.final != verdict.Never || !s.conf.AtOnce {
			s.fail("%v was refused, and %s said %v", l, key, p.final)
		}
		p.final, p.never = 0, false
	}
}

// count counts what did not come to the queue. s.mu is held.
func (s *stage) count(l *letter) {
	_, known := s.queue.schedule.Known(l.id)
	switch {
	case l.refused:
		s.tally.refused++
	case l.acked && !known && !s.disk.dead() && len(s.files("incoming/"+l.id)) == 0:
		s.tally.unqueued++
	}
}

// call is one place in a request to deliver or queue-remote, and its answer.
type call struct {
	msg, kind, value, host, content string
	try                             int
	verdict                         verdict.Verdict
	unreached                       bool
}

func (c *call) key() string { return c.kind + " " + c.value }

// carry answers the calls of one request. An error is an answer that was lost, or
// a request.
func (n *neighbour) carry(ctx context.Context, daemon string, calls []call) error {
	var l *letter
	down, words, round := false, make([]string, len(calls)), 0
	n.model(func() {
		if l, down = n.known(calls[0]), n.down[daemon]; l == nil || down {
			return
		}
		round = l.round
		for i := range calls {
			words[i] = n.word(l, &calls[i])
		}
	})
	if l == nil || down || n.disk.dead() {
		return errRefused
	}
	for i := range calls {
		if words[i] == "slow" {
			if err := linger(ctx, 20*time.Second); err != nil {
				return err
			}
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lookAtDisk()
	lost := n.disk.dead() // it is done, and nobody hears of it
	for i := range calls {
		if words[i] == "cut" {
			return errReset
		}
		n.visit(l, &calls[i], words[i])
		lost = lost || words[i] == "lost"
	}
	if lost {
		return errReset
	}
	for i := range calls {
		p := l.places[calls[i].key()]
		switch k := calls[i].verdict.Kind; {
		case k == verdict.Later:
		case round != l.round: // nobody waits for it any more
			p.maybe = true
		default:
			p.final = k
		}
	}
	return nil
}

// word is what a place says.
func (n *neighbour) word(l *letter, c *call) string {
	w := n.says[c.key()]
	if h := n.says["host "+c.host]; c.kind == "address" && h != "" {
		if h != "mixed" || n.draw(2, l.no, c.host, c.try) == 0 {
			c.unreached = true
			return "later"
		}
	}
	if w == "mixed" {
		w = []string{"later", "later", "never", "", "lost", "cut", ""}[n.draw(7, l.no, c.key(), c.try)]
	}
	return w
}

// visit is a letter at a place.
func (s *stage) visit(l *letter, c *call, word string) {
	p := l.places[c.key()]
	if _, stuck := s.stuck.Load(l.id); stuck && p != nil { // W1: a copy that could not be taken back was found
		p.final, p.again, l.gone = 0, true, false
	}
	switch {
	case p == nil:
		s.fail("%v was taken to %s, where it does not lead", l, c.key())
		l.places[c.key()] = &spot{} // for who goes on
		p = l.places[c.key()]
	case p.final != 0:
		s.fail("%v was tried at %s once more (try %d), which had said %v", l, c.key(), c.try, p.final)
	case l.held:
		s.fail("%v was tried at %s while it was held", l, c.key())
	case l.gone:
		s.fail("%v was tried at %s and had left the queue", l, c.key())
	case l.Origin != "bounce" && c.content != body:
		s.fail("%v came to %s as %.200q", l, c.key(), c.content)
	}
	p.tries++
	p.maybe = false
	s.tally.deliveries++
	switch word {
	case "later":
		c.verdict = saidLater
		l.late = l.late || time.Since(l.Time) >= s.conf.DelayWarning && time.Since(l.Time) < s.conf.Expire && l.wants(c.key(), dsn.Delay)
	case "never":
		c.verdict = saidNever
		p.never = true
	default:
		c.verdict = saidDone
		s.put(l, c, p)
	}
}

// put is a place taking a letter: a box looks whether it has it from the second
// try on.
func (s *stage) put(l *letter, c *call, p *spot) {
	if c.kind == "box" && c.try > 1 && p.copies > 0 {
		return
	}
	p.copies++
	if c.kind == "box" && p.copies > 1 {
		s.fail("%v is in %s twice (try %d)", l, c.key(), c.try)
	}
}

// wants reports whether the sender wants to know of an event at a place.
func (l *letter) wants(key string, event dsn.Notify) bool {
	for _, g := range l.targets {
		if g.key == key && l.Rcpts[g.orig].Notify.Wants(event) {
			return true
		}
	}
	return false
}

// known returns the letter of a call, which may be a notice that nobody has seen
// before. s.mu is held.
func (s *stage) known(c call) *letter {
	if l := s.letters[c.msg]; l != nil {
		return l
	}
	head, _, _ := strings.Cut(c.content, "\r\n\r\n")
	to := strings.TrimSuffix(strings.TrimPrefix(field(head, "To"), "<"), ">")
	about := s.letters[field(c.content, "X-Posthorn-Id")]
	a, err := addr.Parse(to)
	at, derr := time.Parse(time.RFC1123Z, field(head, "Date"))
	if about == nil || err != nil || derr != nil {
		s.fail("nobody knows of the message %s:\n%s", c.msg, c.content)
		return nil
	}
	l := s.newLetter(spool.Envelope{ID: c.msg, Time: at, Origin: "bounce", Rcpts: []spool.Rcpt{{Address: a}}})
	l.acked = true
	s.tally.notices++
	want := about.From.String()
	if about.From.IsNull() {
		want = "root@test"
	}
	if to != want {
		s.fail("%v of %v went to %s, want %s", l, about, to, want)
	}
	about.hear(c.content)
	return l
}

// hear takes in what a notice says of a letter.
func (l *letter) hear(report string) {
	rcpt, delayed := "", false
	for line := range strings.SplitSeq(report, "\r\n") {
		if a, ok := strings.CutPrefix(line, "Final-Recipient: rfc822; "); ok {
			rcpt = a
		}
		action, ok := strings.CutPrefix(line, "Action: ")
		switch {
		case ok && action == "delayed":
			l.delays = append(l.delays, rcpt)
			delayed = true
		case ok:
			l.told[action+" "+rcpt]++
		}
	}
	if delayed {
		l.warned++
	}
}

func field(text, name string) string {
	for line := range strings.SplitSeq(text, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}
