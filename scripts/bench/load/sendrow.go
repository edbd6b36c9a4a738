package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"time"
)

// arriveTime is how long the last message may take to arrive.
const arriveTime = 60 * time.Second

// place is where the messages of a row arrive: how many, and how often each
// by "box token".
type place struct {
	count  func() (int, error)
	tokens func() (map[string]int, error)
}

// sendRow sends a row's messages and waits for their arrival.
func sendRow(b *bench, r row) error {
	r.messages = b.count(r.messages)
	to := place{b.boxes().count, b.boxes().tokens}
	if r.relay {
		s, err := newSink(sinkAddr, false)
		if err != nil {
			return err
		}
		defer s.close()
		to.count = func() (int, error) { return s.received(), nil }
		to.tokens = func() (map[string]int, error) { return s.tokens(), nil }
	}
	server, err := b.start(smtpAddr)
	if err != nil {
		return err
	}
	return errors.Join(b.measure(r, to), server.stop())
}

// measure warms the server up, so that its processes and pools are there, and
// then counts what the row costs.
func (b *bench) measure(r row, to place) error {
	if _, err := b.meter.settle(3 * time.Second); err != nil {
		return err
	}
	idle := b.meter.memory()
	warm := &load{row: r, prefix: "warm"}
	warm.messages = max(1, r.messages/10)
	warm.run()
	if _, err := arrived(to.count, warm.accepted); err != nil {
		return err
	}
	before, err := b.meter.settle(5 * time.Second)
	if err != nil {
		return err
	}
	l := &load{row: r, prefix: r.name}
	peak, began := b.meter.watch(), time.Now()
	l.run()
	want := maps.Clone(l.accepted)
	maps.Copy(want, warm.accepted)
	last, err := arrived(to.count, want)
	if err != nil {
		return err
	}
	after, err := b.meter.settle(5 * time.Second)
	if err != nil {
		return err
	}
	return b.report(l, to, want, figures{idle, peak(), last.Sub(began), after - before})
}

// arrived returns when as many messages as want says were there; those that do
// not come in time are lost.
func arrived(count func() (int, error), want map[string]int) (time.Time, error) {
	sum := 0
	for _, n := range want {
		sum += n
	}
	for end := time.Now().Add(arriveTime); ; time.Sleep(5 * time.Millisecond) {
		n, err := count()
		if err != nil || n >= sum || time.Now().After(end) {
			return time.Now(), err
		}
	}
}

// figures are what a row cost: memory in KiB.
type figures struct {
	idle, peak int64
	wall, cpu  time.Duration
}

func (b *bench) report(l *load, to place, want map[string]int, f figures) error {
	got, err := to.tokens()
	if err != nil {
		return err
	}
	sent := len(l.took)
	if sent == 0 {
		return fmt.Errorf("nothing was accepted: %w", l.failure)
	}
	if l.failure != nil {
		fmt.Fprintf(os.Stderr, "load: %s, row %s: %d tries failed, the last with: %v\n", b.peer, l.name, l.retried.Load(), l.failure)
	}
	lost, doubled := judge(want, got)
	for _, v := range []struct {
		what  string
		value float64
	}{
		{"cpu", f.cpu.Seconds() * 1000 / float64(sent)},
		{"rate", float64(sent) / f.wall.Seconds()},
		{"p50", quantile(l.took, .5)}, {"p99", quantile(l.took, .99)},
		{"idle", float64(f.idle) / 1024}, {"peak", float64(f.peak) / 1024},
		{"lost", float64(lost + l.messages - sent)}, {"doubled", float64(doubled)}, {"retried", float64(l.retried.Load())},
	} {
		b.say(l.name, v.what, v.value)
	}
	return nil
}
