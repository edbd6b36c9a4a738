package main

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/evlog"
	"posthorn/internal/guard"
	"posthorn/internal/handover"
)

const (
	lmtpGrace     = 20 * time.Second // for messages under way when deliver stops
	sessionFactor = 24               // a session as a whole may last that many timeouts
)

// lmtp takes messages from other mail servers (RFC 2033) and answers for each
// recipient when the box has the message.
//
// Who can reach the socket or port is trusted to deliver: no login is asked for,
// and limits are those that keep a feeder gone wrong from doing harm.
type lmtp struct {
	s         *service
	conf      atomic.Pointer[conf.Config]
	listeners []net.Listener
	holder    holder
	now       func() time.Time
}

func newLMTP(s *service, c *conf.Config) *lmtp {
	l := &lmtp{s: s, now: time.Now}
	l.conf.Store(c)
	return l
}

// serve answers feeders until ctx is done. Without listeners it returns at once.
func (l *lmtp) serve(ctx context.Context) {
	if len(l.listeners) == 0 {
		return
	}
	g := guard.New(guard.Options{
		Hostname: l.conf.Load().Hostname,
		LMTP:     true,
		SMTPUTF8: true,
		Grace:    lmtpGrace,
		Limits:   l.limits,
		Trusted:  func(netip.Addr) bool { return true },
		Open:     func(c *guard.Conn) guard.Session { return &feed{l: l, c: c, conf: l.conf.Load()} },
		Events:   lmtpEvents{l.s.log},
	})
	g.Serve(ctx, l.listeners...)
}

func (l *lmtp) limits() guard.Limits {
	c := l.conf.Load()
	return guard.Limits{
		Connections: c.Connections,
		MessageSize: c.MessageSize,
		Recipients:  min(c.MaxRecipients, handover.MaxBoxes),
		Timeout:     c.Timeout,
		Session:     sessionFactor * c.Timeout,
		BareLF:      true,
	}
}

// close closes listeners that were bound for nothing.
func (l *lmtp) close() {
	for _, nl := range l.listeners {
		nl.Close()
	}
}

// lmtpEvents writes what the guard has to say into the log.
type lmtpEvents struct{ log *evlog.Log }

func (e lmtpEvents) Refused(p guard.Peer, reason string) {
	ip, _ := who(p)
	e.log.ConnectionRefused("lmtp", ip, reason)
}

func (e lmtpEvents) AcceptFailed(err error) { e.log.AcceptFailed("lmtp", err) }

func (e lmtpEvents) Crashed(where, what, stack string) { e.log.Crashed(where, what, stack) }

// who returns address or uid of a feeder, as the log has them.
func who(p guard.Peer) (ip, uid string) {
	if p.UID >= 0 {
		return "", strconv.Itoa(p.UID)
	}
	return p.Addr.String(), ""
}
