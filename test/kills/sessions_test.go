package kills

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestSessionKills kills login and session daemons, and authd, at random
// moments while clients change their mailboxes: what was answered OK stands, no
// UID is given twice, nothing is lost.
func TestSessionKills(t *testing.T) {
	commands, rounds := 400, 12
	if prove() {
		commands, rounds = 10_000, 150
	}
	random := rand.New(rand.NewPCG(seed(t), 0))
	o := options(t)
	o.Ports["imap"], o.Ports["imaps"], o.Ports["pop3"] = port(t), port(t), port(t)
	o.Conf += "undelete 7d\n"
	f := newFleet(t, o)
	victims := []string{"imap-session", "imapd", "pop3-session", "pop3d", "authd"}
	f.start(true, victims[:4]...)
	fetcher := newFetcher(t, f)

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var workers []*worker
	for n := range 4 {
		w := newWorker(f.i, n, rand.New(rand.NewPCG(random.Uint64(), 0)))
		workers = append(workers, w)
		wg.Go(func() { w.run(ctx) })
	}
	wg.Go(func() { fetcher.run(ctx) })
	done := func() (n int) {
		for _, w := range workers {
			n += int(w.answered.Load())
		}
		return n
	}
	for n := 0; n < rounds || done() < commands; n++ {
		// A slow machine gets nothing done between kills that only time parts.
		more, end := done()+random.IntN(2*commands/rounds), time.Now().Add(5*time.Second)
		for done() < more && time.Now().Before(end) {
			time.Sleep(time.Duration(1+random.IntN(20)) * time.Millisecond)
		}
		random.Shuffle(len(victims), func(a, b int) { victims[a], victims[b] = victims[b], victims[a] })
		dead := victims[:1+random.IntN(2)*random.IntN(len(victims))]
		if random.IntN(2) == 0 {
			dead = []string{"pop3-session"}
			fetcher.awaitQuit()
			time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
		}
		f.kill(dead...)
		f.start(random.IntN(2) == 0, dead...)
	}
	cancel()
	wg.Wait()
	f.checkLives()
	said := map[string]int{}
	for _, w := range workers {
		w.finish(t)
		w.nothingGone(t, removed(t, f.i, bob))
		for k, n := range w.lost {
			said[k] += n
		}
	}
	fetcher.finish(t)
	t.Logf("%d commands answered, without an answer %v; POP3: %d messages deleted for certain, %d of %d QUITs without an answer, %d of them half done; killed %v",
		done(), said, fetcher.deleted, fetcher.lost, fetcher.quitting.Load(), fetcher.torn, f.killed())
}

// worker is a client with two mailboxes of its own.
type worker struct {
	addr   string
	secure bool
	boxes  [2]*mailbox
	random *rand.Rand
	next   int // number of the next letter to append
	moving map[int]bool
	filed  []int // letters whose APPEND was answered

	answered atomic.Int64
	lost     map[string]int
	faults   []string
}

func newWorker(i *instance.Instance, n int, random *rand.Rand) *worker {
	secure := n%2 == 0
	addr := i.Addr["imap"]
	if secure {
		addr = i.Addr["imaps"]
	}
	return &worker{addr: addr, secure: secure, random: random, next: n * 1_000_000, lost: map[string]int{}, moving: map[int]bool{},
		boxes: [2]*mailbox{newMailbox(fmt.Sprintf("In%d", n)), newMailbox(fmt.Sprintf("Out%d", n))}}
}

// run works until ctx is done; each new session first looks whether all is as
// it was left.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil && len(w.faults) == 0 {
		c, err := w.enter()
		for err == nil && ctx.Err() == nil && len(w.faults) == 0 {
			err = w.step(c)
			if errors.Is(err, errRefused) {
				w.faults = append(w.faults, err.Error())
			}
		}
		if c != nil {
			c.conn.Close()
		}
		pause(ctx)
	}
}

// enter begins a session and compares both mailboxes.
func (w *worker) enter() (*imap, error) {
	c, err := dialIMAP(w.addr, bob, w.secure)
	if err != nil {
		if errors.Is(err, errPassword) {
			w.faults = append(w.faults, err.Error())
		}
		return nil, err
	}
	for _, b := range w.boxes {
		if b.validity == "" { // there is none yet, or the answer was lost
			if _, err := c.do("CREATE %s", b.name); err != nil && !errors.Is(err, errRefused) {
				return c, err
			}
		}
		validity, listed, err := c.list(b.name)
		if err != nil {
			return c, err
		}
		w.faults = append(w.faults, b.compare(validity, listed)...)
	}
	for n := range w.moving {
		if w.boxes[0].mails[n] == nil && w.boxes[1].mails[n] == nil {
			w.faults = append(w.faults, fmt.Sprintf("LOST: letter %d was moved and is in neither mailbox", n))
		}
	}
	clear(w.moving)
	return c, nil
}

// step is one command on one message.
func (w *worker) step(c *imap) error {
	k := w.random.IntN(2)
	from, to := w.boxes[k], w.boxes[1-k]
	here := from.certain()
	if len(here) < 3 || w.random.IntN(3) == 0 && len(here) < 50 {
		return w.count("APPEND", w.append(c, from))
	}
	n := here[w.random.IntN(len(here))]
	if _, err := c.do("SELECT %s", from.name); err != nil {
		return w.count("SELECT", err)
	}
	free := to.mails[n] == nil
	switch kind := w.random.IntN(10); {
	case kind < 2 && free:
		return w.count("COPY", w.copy(c, from, to, n))
	case kind < 5 && free:
		return w.count("MOVE", w.move(c, from, to, n))
	case kind < 7:
		return w.count("EXPUNGE", w.expunge(c, from, n))
	}
	flag := []string{`\Seen`, `\Flagged`, `\Answered`, "Work", "$Forwarded"}[w.random.IntN(5)]
	return w.count("STORE", w.store(c, from, n, flag))
}

func (w *worker) count(what string, err error) error {
	if err != nil {
		w.lost[what]++
		return err
	}
	w.answered.Add(1)
	return nil
}

// check files an error as a fault.
func (w *worker) check(err error) {
	if err != nil {
		w.faults = append(w.faults, err.Error())
	}
}

func (w *worker) append(c *imap, b *mailbox) error {
	n := w.next
	w.next++
	text := newLetter(n).text()
	said, err := c.do("APPEND %s (\\Seen) {%d+}\r\n%s", b.name, len(text), text)
	w.check(b.arrive(n, given(appendUID, said), map[string]bool{`\Seen`: true}, err == nil))
	if err == nil {
		w.filed = append(w.filed, n)
	}
	return err
}

func (w *worker) store(c *imap, b *mailbox, n int, flag string) error {
	_, err := c.do("UID STORE %d +FLAGS (%s)", b.mails[n].uid, flag)
	b.mails[n].flagged(flag, err == nil)
	return err
}

func (w *worker) copy(c *imap, from, to *mailbox, n int) error {
	said, err := c.do("UID COPY %d %s", from.mails[n].uid, to.name)
	w.check(to.arrive(n, given(copyUID, said), from.mails[n].flags, err == nil))
	return err
}

func (w *worker) move(c *imap, from, to *mailbox, n int) error {
	flags := from.mails[n].flags
	said, err := c.do("UID MOVE %d %s", from.mails[n].uid, to.name)
	w.check(to.arrive(n, given(copyUID, said), flags, err == nil))
	from.left(n, err == nil)
	if err != nil {
		w.moving[n] = true
	}
	return err
}

func (w *worker) expunge(c *imap, b *mailbox, n int) error {
	if err := w.store(c, b, n, `\Deleted`); err != nil {
		return err
	}
	_, err := c.do("UID EXPUNGE %d", b.mails[n].uid)
	b.left(n, err == nil)
	return err
}

// finish looks a last time, when nobody kills any more, and reads every message.
func (w *worker) finish(t *testing.T) {
	t.Helper()
	var c *imap
	if len(w.faults) == 0 {
		suite.Eventually(t, "a last look", func() bool {
			var err error
			c, err = w.enter()
			return err == nil || len(w.faults) > 0
		})
	}
	for _, b := range w.boxes {
		if len(w.faults) == 0 {
			w.read(c, b)
		}
	}
	if c != nil {
		c.conn.Close()
	}
	for _, text := range w.faults {
		t.Error(text)
	}
}

// read wants the messages byte for byte.
func (w *worker) read(c *imap, b *mailbox) {
	if _, err := c.do("EXAMINE %s", b.name); err != nil {
		w.check(err)
		return
	}
	for _, n := range slices.Sorted(maps.Keys(b.mails)) {
		said, err := c.do("UID FETCH %d BODY.PEEK[]", b.mails[n].uid)
		w.check(err)
		if want := newLetter(n).text(); !strings.Contains(strings.Join(said, ""), fmt.Sprintf("{%d}\r\n%s", len(want), want)) {
			w.faults = append(w.faults, fmt.Sprintf("%s: letter %d is not as it was: %.300q", b.name, n, said))
		}
	}
}
