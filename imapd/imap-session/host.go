package main

import (
	"cmp"
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"posthorn/imapd/internal/deflate"
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/seek"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/mailbox"
	"posthorn/internal/session"
)

// host is what all sessions of the process share.
type host struct {
	store   *mailbox.Store
	log     *evlog.Log
	pool    *wire.Pool
	packers *deflate.Packers
	hands   seek.Hands
	shares  *realm.Shares // nil: users do not show each other mailboxes
	limits  atomic.Pointer[limits]
}

// limits are what a reload changes for the sessions that begin after it.
type limits struct {
	idle       time.Duration // silence that ends a session
	progress   time.Duration // silence within a command that ends it
	maxSize    int64         // octets of a message in an APPEND
	messages   int           // of one APPEND
	perCommand conf.MessageLimit
	report     time.Duration // how often a client hears of a long command; 0: never

	specialUse map[string][]string // attributes by the name of a mailbox
	postmaster string              // an address
	domain     string              // of user names without one
	public     string              // the user whose mailboxes are everybody's, or ""
}

// stall is how long a transfer may stand still.
const stall = 5 * time.Minute

func newHost(store *mailbox.Store, log *evlog.Log) *host {
	all := runtime.GOMAXPROCS(0)
	return &host{store: store, log: log, pool: wire.NewPool(), packers: deflate.NewPackers(all), hands: seek.NewHands(all)}
}

// apply takes the limits of c.
func (h *host) apply(c *conf.Config) {
	h.store.KeepRemoved(c.Undelete)
	h.limits.Store(&limits{
		idle: c.IdleTimeout, progress: stall, maxSize: c.MessageSize, messages: maxMessages, report: progressEvery,
		perCommand: c.MessageLimit,
		specialUse: c.SpecialUse, postmaster: cmp.Or(c.Postmaster, "postmaster@"+c.Domains[0]), domain: c.Domains[0], public: c.PublicFolders,
	})
}

// open takes the mailbox for one session.
func (h *host) open(_ context.Context, c *session.Conn, grant directory.Grant) (session.Session, error) {
	box, err := h.store.Open(strings.Clone(grant.Box.Mail))
	if err != nil {
		return nil, err
	}
	box.Limit(grant.Box.Quota)
	s := newSession(h, c, box)
	if grant.Groups != "" {
		s.realm.Groups = strings.Split(strings.Clone(grant.Groups), ",")
	}
	if grant.IMAPOff != "" {
		s.off = strings.Split(strings.Clone(grant.IMAPOff), ",")
	}
	return s, nil
}
