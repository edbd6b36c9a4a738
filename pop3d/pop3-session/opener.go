package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/evlog"
	"posthorn/internal/mailbox"
	"posthorn/internal/session"
)

// opener makes the sessions of this process.
type opener struct {
	store *mailbox.Store
	log   *evlog.Log
	idle  atomic.Int64 // the time.Duration that a client may be silent
}

// apply takes what c says for the sessions to come. The autologout is a third
// of idle-timeout, which is for IMAP: the defaults meet RFC 1939 3 (ten minutes)
// and RFC 9051 5.4.
func (o *opener) apply(c *conf.Config) { o.idle.Store(int64(c.IdleTimeout / 3)) }

// open takes the maildrop for one session.
func (o *opener) open(_ context.Context, c *session.Conn) (session.Session, error) {
	drop, err := openDrop(o.store, c.Grant.Box.Mail)
	if errors.Is(err, mailbox.ErrLocked) {
		return nil, session.ErrInUse
	}
	if err != nil {
		return nil, err
	}
	return newTransaction(c, drop, time.Duration(o.idle.Load()), o.log), nil
}
