package main

import (
	"fmt"
	"net/smtp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Tries for one message, and the wait between them.
const (
	maxTries = 200
	tryWait  = 50 * time.Millisecond
)

// load is a number of messages that many connections share.
type load struct {
	row
	prefix string // of the tokens

	next    atomic.Int64
	retried atomic.Int64 // refused connections, 4xx and broken sessions

	mu       sync.Mutex
	accepted map[string]int // copies that must arrive, by "box token"
	took     []time.Duration
	failure  error // the last one
}

// run sends all and returns when the last is answered.
func (l *load) run() {
	l.accepted = map[string]int{}
	var wg sync.WaitGroup
	for range l.conns {
		wg.Go(l.connection)
	}
	wg.Wait()
}

// connection is one client, which connects again after perConn messages.
func (l *load) connection() {
	var c *smtp.Client
	for sent := 0; ; sent++ {
		i := int(l.next.Add(1)) - 1
		if i >= l.messages || c != nil && sent%l.perConn == 0 {
			quit(c)
			c = nil
		}
		if i >= l.messages {
			return
		}
		c = l.message(c, i)
	}
}

func quit(c *smtp.Client) {
	if c != nil && c.Quit() != nil {
		c.Close()
	}
}

// message sends message i, connecting where c is nil, and returns the session.
func (l *load) message(c *smtp.Client, i int) *smtp.Client {
	t := fmt.Sprintf("%s.%d", l.prefix, i)
	rcpts, text := l.recipients(i), message(t, l.size)
	began := time.Now()
	for range maxTries {
		var err error
		if c == nil {
			c, err = dialSMTP(l.tls)
		}
		if err == nil {
			err = send(c, rcpts, text)
		}
		if err == nil {
			l.done(i, t, time.Since(began))
			return c
		}
		l.failed(err)
		if c != nil {
			c.Close()
			c = nil
		}
		time.Sleep(tryWait)
	}
	return nil
}

// recipients returns whom message i is for: one box after another.
func (l *load) recipients(i int) []string {
	if l.relay {
		return []string{"user@sink.test"}
	}
	var all []string
	for k := range l.rcpts {
		all = append(all, fmt.Sprintf("%s@%s", user(l.box(i, k)), domain))
	}
	return all
}

// box returns the number of the box of recipient k: one of ten where a message
// has one recipient.
func (l *load) box(i, k int) int {
	if l.rcpts == 1 {
		return i % 10
	}
	return (i*l.rcpts + k) % users
}

func (l *load) done(i int, token string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, took)
	if l.relay {
		l.accepted["relay "+token]++
		return
	}
	for k := range l.rcpts {
		l.accepted[user(l.box(i, k))+" "+token]++
	}
}

func (l *load) failed(err error) {
	l.retried.Add(1)
	l.mu.Lock()
	l.failure = err
	l.mu.Unlock()
}

// quantile returns the q-th of the times from connect to 250, in milliseconds.
func quantile(took []time.Duration, q float64) float64 {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return float64(sorted[int(q*float64(len(sorted)-1))].Microseconds()) / 1000
}
