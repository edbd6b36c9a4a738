package main

import (
	"context"
	"errors"
	"time"

	"posthorn/internal/evlog"
	"posthorn/internal/mailbox"
	"posthorn/internal/session"
)

// opener makes the sessions of this process.
type opener struct {
	store *mailbox.Store
	log   *evlog.Log
	idle  time.Duration
}

// autologout is how long a client may be silent: a third of idle-timeout, which
// is for IMAP. The defaults meet RFC 1939 3 (ten minutes) and RFC 9051 5.4.
func autologout(idle time.Duration) time.Duration { return idle / 3 }

// open takes the maildrop for one session.
func (o opener) open(_ context.Context, c *session.Conn) (session.Runner, error) {
	drop, err := openDrop(o.store, c.Grant.Box.Mail)
	if errors.Is(err, mailbox.ErrLocked) {
		return nil, session.ErrInUse
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) {
		defer drop.Close()
		t := newTransaction(c, drop, o.idle)
		err := t.run(ctx)
		o.log.POP3Ended(c.SID, c.Grant.User, t.retrieved, t.removed, t.sent, err)
	}, nil
}
