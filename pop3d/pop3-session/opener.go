package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/mailbox"
	"posthorn/internal/session"
)

// opener makes the sessions of this process.
type opener struct {
	store *mailbox.Store
	log   *evlog.Log
	conf  atomic.Pointer[conf.Config]
}

// apply takes what c says for the sessions to come.
func (o *opener) apply(c *conf.Config) {
	o.store.KeepRemoved(c.Undelete)
	o.conf.Store(c)
}

// idle is the autologout: a third of idle-timeout, which is for IMAP. The defaults
// meet RFC 1939 3 (ten minutes) and RFC 9051 5.4.
func idle(c *conf.Config) time.Duration { return c.IdleTimeout / 3 }

// open takes the maildrop for one session.
func (o *opener) open(_ context.Context, c *session.Conn, grant directory.Grant) (session.Session, error) {
	set := o.conf.Load()
	rule, err := set.POP3.With(grant.POP3)
	if err != nil {
		return nil, fmt.Errorf("what authd says of POP3: %w", err)
	}
	drop, err := openDrop(o.store, grant.Box.Mail, rule, time.Now())
	if errors.Is(err, mailbox.ErrLocked) {
		return nil, session.ErrInUse
	}
	if err != nil {
		return nil, err
	}
	t := newTransaction(c, drop, idle(set), o.log)
	t.expire = rule.Expire
	return t, nil
}
