package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// mailboxRows works in a mailbox of corpusSize messages of the user bench.
func mailboxRows(b *bench, r row) error {
	if err := b.makeMail(); err != nil {
		return err
	}
	server, err := b.start(imapAddr)
	if err != nil {
		return err
	}
	return errors.Join(b.work(), server.stop())
}

// makeMail makes the mail of the user bench, and everybody's password.
func (b *bench) makeMail() error {
	names := []string{"bench", "many"}
	for i := range users {
		names = append(names, user(i))
	}
	text := strings.Join(names, ":{PLAIN}secret\n") + ":{PLAIN}secret\n"
	if err := os.WriteFile(filepath.Join(b.state(), "passwd"), []byte(text), 0o644); err != nil {
		return err
	}
	home := filepath.Join(b.boxes().root, "bench")
	return errors.Join(makeMaildir(home), makeMaildir(filepath.Join(home, ".New")),
		fillBox(filepath.Join(home, ".Big"), b.count(corpusSize)), fillLarge(filepath.Join(home, ".Large")), fillHuge(filepath.Join(home, ".Huge"), b.count(hugeSize)),
		fillFolders(filepath.Join(b.boxes().root, "many"), b.count(folderCount)))
}

// step is one row of work: what does it, how often it is done, and how many
// operations that is in sum. One that opens the mailbox itself finds none open.
type step struct {
	name   string
	user   string // "" is bench
	opens  bool
	secure bool // over TLS
	times  int
	ops    int
	ready  func(c *imap) error // what is not measured, before; may be nil
	do     func(c *imap, i int) error
}

func (b *bench) work() error {
	if err := errors.Join(b.logins("login", false), b.logins("login-TLS", true)); err != nil {
		return err
	}
	for _, s := range slices.Concat(b.steps(), b.orderSteps(), b.manySteps(), b.secureSteps()) {
		if err := b.step(s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return errors.Join(b.waiters("idle", false), b.waiters("idle-TLS", true))
}

// waiters holds connections that wait for news.
func (b *bench) waiters(row string, secure bool) error {
	return b.hold(row, b.count(500), func(i int) (io.Closer, error) { return waiting(i, secure) })
}

// waiting returns a session that waits for news of its INBOX.
func waiting(i int, secure bool) (io.Closer, error) {
	c, err := dialIMAP(user(i%users), secure)
	if err != nil {
		return nil, err
	}
	return c, errors.Join(c.do("SELECT INBOX"), c.idle())
}

// steps returns the rows in their order: the mailbox is new at the first, and the
// first of a kind is what a server does with messages that it does not know yet.
func (b *bench) steps() []step {
	all := b.count(corpusSize)
	thousand := min(1000, all)
	fetch := func(items string) func(*imap, int) error {
		return func(c *imap, _ int) error { return c.fetch(all, items) }
	}
	do := func(format string) func(*imap, int) error {
		return func(c *imap, _ int) error { return c.do("%s", format) }
	}
	return []step{
		{name: "select-first", opens: true, times: 1, ops: 1, do: do("SELECT Big")},
		{name: "select", opens: true, times: 50, ops: 50, do: do("SELECT Big")},
		{name: "select-after-store", times: 20, ops: 20, do: func(c *imap, i int) error {
			return errors.Join(c.do("STORE %d %cFLAGS.SILENT (\\Flagged)", 1+i/2, "+-"[i%2]), c.do("SELECT Big"))
		}},
		{name: "fetch-flags", times: 5, ops: 5 * all, do: fetch("UID FLAGS RFC822.SIZE")},
		{name: "fetch-envelope-first", times: 1, ops: all, do: fetch("ENVELOPE")},
		{name: "fetch-envelope", times: 2, ops: 2 * all, do: fetch("ENVELOPE")},
		{name: "fetch-structure", times: 2, ops: 2 * all, do: fetch("BODYSTRUCTURE")},
		{name: "fetch-bodies", times: 1, ops: thousand, do: func(c *imap, _ int) error { return c.fetch(thousand, "BODY.PEEK[]") }},
		{name: "search-from", times: 2, ops: 2, do: do("SEARCH FROM writer99")},
		{name: "search-body", times: 1, ops: 1, do: do("SEARCH BODY nowhere")},
		{name: "store-one", times: 200, ops: 200, do: func(c *imap, i int) error {
			return c.do("STORE %d %cFLAGS (\\Flagged)", 1+i%all/2, "+-"[i%2])
		}},
		{name: "store-many", times: 1, ops: thousand, do: func(c *imap, _ int) error {
			return c.do("STORE 1:%d +FLAGS (\\Draft)", thousand)
		}},
		{name: "append", times: 300, ops: 300, do: appendNew},
		{name: "fetch-large", opens: true, times: largeCount, ops: largeCount, do: fetchLarge},
	}
}

// secureSteps returns those rows again, over TLS, whose cost is in what goes
// through the connection.
func (b *bench) secureSteps() []step {
	all := []string{"select", "fetch-flags", "fetch-bodies", "fetch-large", "store-one", "append"}
	var out []step
	for _, s := range b.steps() {
		if slices.Contains(all, s.name) {
			s.name, s.secure = s.name+"-TLS", true
			out = append(out, s)
		}
	}
	return append(out, step{name: "login-select-TLS", opens: true, times: 200, ops: 200, do: func(*imap, int) error {
		c, err := dialIMAP("bench", true)
		if err != nil {
			return err
		}
		defer c.Close()
		return errors.Join(c.do("SELECT Big"), c.do("LOGOUT"))
	}})
}

func appendNew(c *imap, i int) error {
	return c.append("New", message(fmt.Sprint("append.", i), 8<<10))
}

// fetchLarge reads one of the large messages of a mailbox that holds no others.
func fetchLarge(c *imap, i int) error {
	if i == 0 {
		if err := c.do("SELECT Large"); err != nil {
			return err
		}
	}
	return c.do("FETCH %d BODY.PEEK[]", i+1)
}

// step measures one row in a session of its own.
func (b *bench) step(s step) error {
	c, err := dialIMAP(cmp.Or(s.user, "bench"), s.secure)
	if err != nil {
		return err
	}
	defer c.Close()
	if s.ready != nil {
		if err := s.ready(c); err != nil {
			return err
		}
	}
	if !s.opens {
		if err := c.do("SELECT Big"); err != nil {
			return err
		}
	}
	times := b.count(s.times)
	return b.timed(s.name, func() (int, error) {
		for i := range times {
			if err := s.do(c, i); err != nil {
				return 0, err
			}
		}
		return s.ops * times / s.times, nil
	})
}

// timed says what do costs for each of the operations that it reports.
func (b *bench) timed(row string, do func() (int, error)) error {
	before, err := b.meter.settle(5 * time.Second)
	if err != nil {
		return err
	}
	began := time.Now()
	n, err := do()
	wall := time.Since(began)
	if err != nil {
		return err
	}
	after, err := b.meter.settle(5 * time.Second)
	if err != nil {
		return err
	}
	b.say(row, "cpu", (after-before).Seconds()*1000/float64(n))
	b.say(row, "rate", float64(n)/wall.Seconds())
	return nil
}

// logins has 20 clients log in and out again and again.
func (b *bench) logins(row string, secure bool) error {
	n := int64(b.count(1000))
	return b.timed(row, func() (int, error) {
		var next atomic.Int64
		var wg sync.WaitGroup
		failed := make(chan error, 20)
		for range 20 {
			wg.Go(func() {
				for i := next.Add(1); i <= n; i = next.Add(1) {
					if err := visit(user(int(i)%users), secure); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(failed)
		return int(n), <-failed
	})
}

func visit(user string, secure bool) error {
	c, err := dialIMAP(user, secure)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.do("LOGOUT")
}
