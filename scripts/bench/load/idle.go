package main

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// idleSMTP holds connections that have said EHLO.
func idleSMTP(b *bench, r row) error {
	server, err := b.start(smtpAddr)
	if err != nil {
		return err
	}
	err = b.hold(r.name, b.count(r.conns), func(int) (io.Closer, error) { return dialSMTP(r.tls) })
	return errors.Join(err, server.stop())
}

// hold opens n connections one after another and says what memory each takes of
// the server while it waits.
func (b *bench) hold(row string, n int, open func(int) (io.Closer, error)) error {
	if _, err := b.meter.settle(3 * time.Second); err != nil {
		return err
	}
	before := b.meter.memory()
	for i := range n {
		c, err := open(i)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		defer c.Close()
	}
	if _, err := b.meter.settle(5 * time.Second); err != nil {
		return err
	}
	b.say(row, "idle", float64(before)/1024)
	b.say(row, "each", float64(b.meter.memory()-before)/float64(n))
	return nil
}
