package main

import (
	"errors"
	"fmt"
	"time"
)

// Longest times of the row QUEUE: for all messages to be tried once, and
// without any progress.
const (
	passTime  = 30 * time.Minute
	stallTime = 20 * time.Second
)

// queueRow fills the queue with messages that the next host does not take yet,
// starts the server anew, and has it try all of them once more.
func queueRow(b *bench, r row) error {
	r.messages = b.count(r.messages)
	s, err := newSink(sinkAddr, true)
	if err != nil {
		return err
	}
	defer s.close()
	server, err := b.start(smtpAddr)
	if err != nil {
		return err
	}
	if err := b.fill(r, s); err != nil {
		return errors.Join(err, server.stop())
	}
	if err := server.stop(); err != nil {
		return err
	}
	if server, err = b.restart(r); err != nil {
		return err
	}
	return errors.Join(b.again(r, s), server.stop())
}

// fill sends all messages and waits until each was tried.
func (b *bench) fill(r row, s *sink) error {
	before, err := b.meter.settle(3 * time.Second)
	if err != nil {
		return err
	}
	l, began := &load{row: r, prefix: r.name}, time.Now()
	l.run()
	if len(l.took) < l.messages {
		return fmt.Errorf("only %d of %d messages accepted: %w", len(l.took), l.messages, l.failure)
	}
	tried, last := progress(s.asked, r.messages)
	after, err := b.meter.settle(10 * time.Second)
	if err != nil {
		return err
	}
	b.say(r.name, "messages", float64(r.messages))
	b.say(r.name, "fill-rate", float64(tried)/last.Sub(began).Seconds())
	b.say(r.name, "fill-cpu", (after-before).Seconds()*1000/float64(r.messages))
	return nil
}

// restart says how long the server takes to deliver a message when it starts
// with the queue, and what memory it then has.
func (b *bench) restart(r row) (*process, error) {
	began := time.Now()
	server, err := b.start(smtpAddr)
	if err != nil {
		return nil, err
	}
	one := &load{row: row{name: r.name, messages: 1, conns: 1, perConn: 1, rcpts: 1, size: r.size}, prefix: "first"}
	one.run()
	last, err := arrived(b.boxes().count, one.accepted)
	if err != nil || len(one.took) == 0 {
		return nil, errors.Join(fmt.Errorf("first message: %w", one.failure), err, server.stop())
	}
	b.say(r.name, "start", last.Sub(began).Seconds())
	_, err = b.meter.settle(30 * time.Second)
	b.say(r.name, "memory", float64(b.meter.memory())/1024)
	return server, err
}

func (b *bench) again(r row, s *sink) error {
	if err := b.pass(r, s); err != nil {
		return err
	}
	return b.drain(r, s)
}

// pass has everything tried at once and says what a try costs.
func (b *bench) pass(r row, s *sink) error {
	before, err := b.meter.settle(time.Second)
	if err != nil {
		return err
	}
	from, peak, began := s.asked(), b.meter.watch(), time.Now()
	if err := b.tell("flush"); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	tried, last := progress(func() int { return s.asked() - from }, r.messages)
	after, err := b.meter.settle(10 * time.Second)
	if err != nil {
		return err
	}
	if tried == 0 {
		return errors.New("nothing was tried again")
	}
	b.say(r.name, "pass-cpu", (after-before).Seconds()*1000/float64(tried))
	b.say(r.name, "pass-rate", float64(tried)/last.Sub(began).Seconds())
	b.say(r.name, "peak", float64(peak())/1024)
	return nil
}

// drain has the next host take all of it, and says what never came or came
// twice.
func (b *bench) drain(r row, s *sink) error {
	s.relent()
	began := time.Now()
	if err := b.tell("flush"); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	taken, last := progress(s.received, r.messages)
	lost, doubled := judge(tokensOf(r), s.tokens())
	b.say(r.name, "drain-rate", float64(taken)/last.Sub(began).Seconds())
	b.say(r.name, "lost", float64(lost))
	b.say(r.name, "doubled", float64(doubled))
	return nil
}

// tokensOf returns what must arrive when all messages of r were accepted.
func tokensOf(r row) map[string]int {
	all := map[string]int{}
	for i := range r.messages {
		all[fmt.Sprintf("relay %s.%d", r.name, i)] = 1
	}
	return all
}

// progress waits until have returns n or does not grow any more, and returns
// what it was last and since when.
func progress(have func() int, n int) (int, time.Time) {
	end := time.Now().Add(passTime)
	last, moved := 0, time.Now()
	for {
		now := have()
		if now != last {
			last, moved = now, time.Now()
		}
		if now >= n || time.Now().After(end) || time.Since(moved) > stallTime {
			return now, moved
		}
		time.Sleep(10 * time.Millisecond)
	}
}
