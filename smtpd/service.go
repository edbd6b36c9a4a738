package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/guard"
	"posthorn/internal/spool"
	"posthorn/internal/tlsconf"
	"posthorn/internal/verdict"
)

const (
	grace         = 20 * time.Second // for messages under way when smtpd stops
	sessionFactor = 24               // a session as a whole may last that many timeouts
	probeWait     = 2 * time.Second  // between two probes while queued does not answer
)

// authd is what smtpd asks of the directory.
type authd interface {
	Resolve(ctx context.Context, a addr.Address) (directory.Resolved, error)
	Mechanisms(ctx context.Context, service string) ([]string, error)
	SASL(ctx context.Context, s directory.Step) (directory.Challenge, error)
	MaySend(ctx context.Context, user string, a addr.Address) error
	Forget()
}

// intake is where messages are made and handed over.
type intake interface {
	New(env spool.Envelope) (*spool.Draft, error)
	Submit(ctx context.Context, d *spool.Draft) error
	Probe(ctx context.Context) error
}

// kind is one of the services that smtpd offers.
type kind struct {
	name       string
	submission bool // for users, after login
	implicit   bool // TLS from the first byte
	local      bool // for processes of this host, over submit.sock
}

var kinds = [...]kind{
	{name: "smtp"},
	{name: "submission", submission: true},
	{name: "submissions", submission: true, implicit: true},
}

// submit is the service of submit.sock.
var submit = kind{name: "submit", local: true}

// port is a service with its listeners.
type port struct {
	guard     *guard.Guard
	listeners []net.Listener
}

// service is smtpd.
type service struct {
	log     *evlog.Log
	authd   authd
	intake  intake
	keys    *tlsconf.Keys // nil without TLS
	conf    atomic.Pointer[conf.Config]
	ports   []port
	daemons []int // uids whose processes may not submit
	now     func() time.Time
	wait    func(context.Context, time.Duration)
}

func newService(log *evlog.Log, a authd, in intake) *service {
	return &service{log: log, authd: a, intake: in, now: time.Now, wait: wait}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// newGuard returns what serves a kind of service.
func (s *service) newGuard(k kind, hostname string, config *tls.Config) *guard.Guard {
	o := guard.Options{
		Hostname:    hostname,
		TLS:         config,
		Implicit:    k.implicit,
		Auth:        k.submission,
		SMTPUTF8:    true,
		DSN:         true,
		RequireAuth: k.submission,
		Grace:       grace,
		Limits:      func() guard.Limits { return s.limits(k) },
		Trusted:     s.relayClient,
		Open:        func(c *guard.Conn) guard.Session { return s.newSession(k, c) },
		Events:      events{s.log, k.name},
	}
	if k.local {
		o.TLS, o.Local = nil, s.local()
	}
	return guard.New(o)
}

// limits are those of the configuration in force. What a program of this host
// sends, it sends as a whole or not at all.
func (s *service) limits(k kind) guard.Limits {
	c := s.conf.Load()
	l := guard.Limits{
		Connections: c.Connections,
		PerClient:   c.ConnectionsPerClient,
		MessageSize: c.MessageSize,
		Recipients:  c.MaxRecipients,
		Timeout:     c.Timeout,
		Session:     sessionFactor * c.Timeout,
		BareLF:      c.BareNewline == "normalize",
	}
	if k.local {
		l.Recipients, l.BareLF = spool.MaxRcpts, true
	}
	return l
}

// relayClient reports whether relay-from names a client.
func (s *service) relayClient(ip netip.Addr) bool {
	for _, p := range s.conf.Load().RelayFrom {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// events writes what the guard has to say into the log.
type events struct {
	log     *evlog.Log
	service string
}

func (e events) Refused(p guard.Peer, reason string) {
	if p.UID >= 0 {
		e.log.SubmitRefused(p.UID, reason)
		return
	}
	e.log.ConnectionRefused(e.service, p.Addr.String(), reason)
}

func (e events) AcceptFailed(err error) { e.log.AcceptFailed(e.service, err) }

func (e events) Crashed(where, what, stack string) { e.log.Crashed(where, what, stack) }

// Serve offers the services until ctx is done, or queued refuses what smtpd
// makes.
func (s *service) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var serving sync.WaitGroup
	for _, p := range s.ports {
		serving.Go(func() { p.guard.Serve(ctx, p.listeners...) })
	}
	err := s.probe(ctx)
	if err == nil {
		<-ctx.Done()
	}
	cancel()
	serving.Wait()
	return err
}

// probe tries the door until queued has answered. Only a refusal is an error.
func (s *service) probe(ctx context.Context) error {
	for told := false; ctx.Err() == nil; s.wait(ctx, probeWait) {
		err := s.intake.Probe(ctx)
		var v *verdict.Error
		switch {
		case err == nil:
			s.log.DoorOpen()
			return nil
		case errors.As(err, &v) && v.Kind == verdict.Never:
			return daemon.BadConfig(fmt.Errorf("queued refuses messages from smtpd: %w", err))
		case !told && ctx.Err() == nil:
			s.log.DoorAbsent(err)
			told = true
		}
	}
	return nil
}

// closeAll closes the listeners bound so far.
func (s *service) closeAll() {
	for _, p := range s.ports {
		for _, l := range p.listeners {
			l.Close()
		}
	}
}
