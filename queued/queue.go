package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/calm"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/door"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/handover"
	"posthorn/internal/spool"
	"posthorn/internal/tables"
	"posthorn/queued/internal/route"
	"posthorn/queued/internal/schedule"
)

// The other daemons, as the queue sees them.
type (
	resolver interface {
		ResolveAll(ctx context.Context, all []addr.Address) ([]directory.Answer, error)
		Forget()
	}
	deliverer interface {
		Do(ctx context.Context, r handover.DeliverRequest, f *os.File) ([]handover.DeliverResult, error)
	}
	sender interface {
		Do(ctx context.Context, r handover.RemoteRequest, f *os.File) (handover.RemoteResult, error)
	}
)

const (
	// collectEvery is how often the incoming folder is looked at.
	collectEvery = 2 * time.Second
	// soonest is how long one of our own daemons that does not answer is left
	// alone at first.
	soonest = time.Second
	// grace is how long deliveries that run may go on when the daemon ends.
	grace = 15 * time.Second
	// spare is the number of messages in work besides those whose attempts
	// run: they ask the directory or write to the spool.
	spare = 32
)

// queue is the daemon.
type queue struct {
	spool     *spool.Spool
	disk      *durable.Disk
	log       *evlog.Log
	schedule  *schedule.Schedule
	directory resolver
	deliver   deliverer
	remote    sender
	dns       route.Resolver
	reloadDNS func() error // nil when there is nothing to read again
	own       route.Interfaces
	settings  atomic.Pointer[settings]
	clock     *clock
	listener  *net.UnixListener
	allow     []int
	mailq     *net.UnixListener // nil in tests that need none
	viewers   viewers
	known     chan struct{}                       // closed when all that was found at the start is read
	calm      calm.Watch                          // of reading that
	examine   func(spool.Ref) (spool.Entry, bool) // the spool's, but for tests

	collectEvery, soonest, onceWithin time.Duration // the constants, but for tests

	flights chan struct{} // messages that go at once

	passes sync.WaitGroup
	work   context.Context // of the passes; ends after the grace
}

// settings are what a reload replaces, as a whole.
type settings struct {
	*conf.Config
	transport  *tables.Live[tables.Transport]
	router     *route.Router
	postmaster addr.Address
}

// newQueue makes a queue for a configuration. The clients of the other daemons
// are the caller's to set. Its errors are ones that a restart does not cure.
func newQueue(c *conf.Config, disk *durable.Disk, log *evlog.Log, dns route.Resolver) (*queue, error) {
	q := &queue{
		disk: disk, log: log, dns: dns, clock: newClock(time.Now),
		schedule: schedule.New(c.RemoteConcurrency + c.DeliverConcurrency + spare),
		work:     context.Background(), known: make(chan struct{}),

		collectEvery: collectEvery, soonest: soonest, onceWithin: onceWithin,
		flights: make(chan struct{}, onceFlights),
	}
	set, err := q.load(c)
	if err != nil {
		return nil, err
	}
	q.settings.Store(set)
	return q, nil
}

func transportTable(file string, log *evlog.Log) *tables.Live[tables.Transport] {
	return &tables.Live[tables.Transport]{
		Path:    file,
		Parse:   func(content []byte) (*tables.Transport, error) { return tables.ParseTransport(file, content) },
		Missing: new(tables.Transport),
		Report:  func(err error) { log.Table(file, err) },
	}
}

// load makes settings of a configuration, with tables and secrets as they are
// now.
func (q *queue) load(c *conf.Config) (*settings, error) {
	set := &settings{Config: c, transport: transportTable(c.TransportFile, q.log)}
	if err := set.transport.Open(); err != nil {
		return nil, err
	}
	var err error
	if set.router, err = route.New(c, q.dns, set.transport.Get, q.own.Addrs); err != nil {
		return nil, err
	}
	if set.postmaster, err = postmaster(c); err != nil {
		return nil, fmt.Errorf("%s: postmaster: %w", c.File, err)
	}
	return set, nil
}

// wait is the time between a try and the next, lengthened by chance so that
// what came together does not stay together.
func (s *settings) wait(try int) time.Duration {
	d := s.Retry[min(max(try, 1), len(s.Retry))-1]
	if s.RetryJitter > 0 {
		d += time.Duration(rand.Int64N(int64(d)*int64(s.RetryJitter)/100 + 1))
	}
	return d
}

// postmaster is who gets what cannot be returned.
func postmaster(c *conf.Config) (addr.Address, error) {
	switch {
	case c.Postmaster != "":
		return addr.Parse(c.Postmaster)
	case len(c.Domains) > 0:
		return addr.Address{Local: "postmaster", Domain: c.Domains[0]}, nil
	}
	return addr.Address{Local: "postmaster", Domain: c.Hostname}, nil
}

// Reload puts a configuration in force for all passes that begin from now on.
func (q *queue) Reload(c *conf.Config) error {
	set, err := q.load(c)
	if err != nil {
		return err
	}
	if q.reloadDNS != nil {
		if err := q.reloadDNS(); err != nil {
			return err
		}
	}
	q.settings.Store(set)
	q.directory.Forget()
	return nil
}

// Serve takes the spool and works until ctx is done. Then nothing new is taken
// in or begun, and what runs has the grace to end.
func (q *queue) Serve(ctx context.Context) error {
	var err error
	if q.spool, err = spool.Open(q.settings.Load().Spool, q.disk, q.log); err != nil {
		return err
	}
	defer q.spool.Close()
	work, stop := context.WithCancel(context.Background())
	defer stop()
	q.work = work
	if err := q.find(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- door.Serve(ctx, q.listener, q.allow, q.log, q)
		cancel() // nobody can reach us any more: end, and be started again
	}()
	var asked sync.WaitGroup
	if q.mailq != nil {
		asked.Go(func() { q.serveMailq(ctx) })
	}
	asked.Go(func() { q.read(ctx) })
	collected := make(chan struct{})
	go func() { defer close(collected); q.collectUntil(ctx) }()
	q.run(ctx)
	err = <-served
	<-collected
	asked.Wait()
	q.finish(stop)
	return err
}

// finish waits for the passes, and after the grace calls off what they wait
// for.
func (q *queue) finish(stop func()) {
	t := time.AfterFunc(grace, stop)
	defer t.Stop()
	q.passes.Wait()
}

// run begins passes when their messages are due.
func (q *queue) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		it, quiet := q.schedule.Take(q.now())
		if ctx.Err() != nil {
			if it != nil {
				q.schedule.Rest(it, q.schedule.Try(it), q.now())
			}
			return
		}
		if it != nil {
			q.passes.Go(func() { q.attempt(it, nil, false) })
			continue
		}
		timer.Reset(quiet)
		select {
		case <-timer.C:
		case <-q.schedule.Wake():
		case <-ctx.Done():
		}
	}
}

// collectUntil looks for messages that smtpd kept while we did not answer.
func (q *queue) collectUntil(ctx context.Context) {
	tick := time.NewTicker(q.collectEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			q.lookAtClock()
			q.collect()
		case <-ctx.Done():
			return
		}
	}
}

// collect takes in what lies in incoming. Its ids are reserved meanwhile: a maker
// who is heard only now, and asks for the same message, must not try it too.
func (q *queue) collect() {
	adopted := map[string]bool{}
	entries, err := q.spool.Collect(func(msg string) (spool.Ref, bool) {
		ref, known := q.schedule.Adopt(msg)
		if !known {
			adopted[msg] = true
		}
		return ref, known
	})
	if err != nil {
		q.log.SpoolFailed("", err)
	}
	for _, e := range entries {
		q.schedule.Find(q.rested(e))
		delete(adopted, e.Ref.ID())
		q.log.Collected(e.Ref.ID())
	}
	for msg := range adopted {
		q.schedule.Cancel(msg)
	}
}
