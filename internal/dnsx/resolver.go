package dnsx

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// maxSteps bounds a CNAME chain, inside one answer and over several together.
const maxSteps = 8

// maxParallel bounds the questions that one Resolver has in flight, and with
// them its sockets.
const maxParallel = 128

// Options say whom to ask.
type Options struct {
	// Servers are "address:port"; when empty, File is read.
	Servers []string
	// File is a resolv.conf(5); empty means /etc/resolv.conf.
	File string
}

// Resolver looks names up. It is safe for concurrent use, holds no sockets
// between look-ups and needs no closing.
type Resolver struct {
	settings atomic.Pointer[settings]
	turn     atomic.Uint32 // where the next look-up starts under "rotate"
	slots    chan struct{}
	cache    *cache
}

// New returns a Resolver that asks the servers of o. It touches no network.
func New(o Options) (*Resolver, error) {
	r := &Resolver{slots: make(chan struct{}, maxParallel), cache: newCache()}
	if err := r.Reload(o); err != nil {
		return nil, err
	}
	return r, nil
}

// Reload takes the servers of o from now on and forgets cached answers. When it
// fails the old servers stay.
func (r *Resolver) Reload(o Options) error {
	s, err := load(o)
	if err != nil {
		return err
	}
	r.settings.Store(s)
	r.cache.clear()
	return nil
}

func load(o Options) (*settings, error) {
	switch {
	case len(o.Servers) > 0:
		return fromList(o.Servers)
	case o.File != "":
		return fromFile(o.File)
	}
	return fromFile("/etc/resolv.conf")
}

// Ports returns the ports of the servers, for whoever restricts where the
// process may connect to.
func (r *Resolver) Ports() []uint16 {
	var list []uint16
	for _, s := range r.settings.Load().servers {
		if ap, err := netip.ParseAddrPort(s.addr); err == nil {
			list = append(list, ap.Port())
		}
	}
	return list
}

// lookup answers one question, from the cache or the servers, CNAMEs followed.
// The error is non-nil exactly when the status is Temporary.
func (r *Resolver) lookup(ctx context.Context, name string, qtype uint16) ([]dns.RR, Meta, error) {
	fqdn, ok := canonical(name)
	if !ok {
		return nil, Meta{Status: NXDomain, Name: name}, nil
	}
	q := question{fqdn, qtype}
	if rrs, meta, ok := r.cache.get(q); ok {
		return rrs, meta, nil
	}
	rrs, meta, err := r.chase(ctx, q)
	if err != nil {
		err = fmt.Errorf("looking up %s %s: %w", plain(fqdn), dns.TypeToString[qtype], err)
		return nil, Meta{Status: Temporary, Name: plain(fqdn)}, err
	}
	r.cache.put(q, rrs, meta)
	return rrs, meta, nil
}

// chase asks, and asks again for the target when an answer stops at a CNAME.
func (r *Resolver) chase(ctx context.Context, q question) ([]dns.RR, Meta, error) {
	total := Meta{Authentic: true, TTL: time.Duration(1<<63 - 1)}
	for steps := 0; steps < maxSteps; {
		m, trusted, err := r.ask(ctx, q)
		if err != nil {
			return nil, Meta{}, err
		}
		a, err := read(m, q, maxSteps-steps)
		if err != nil {
			return nil, Meta{}, err
		}
		total.Authentic = total.Authentic && trusted && m.AuthenticatedData
		total.TTL = min(total.TTL, a.ttl)
		if !a.again {
			total.Status, total.Name = a.status, plain(a.name)
			return a.rrs, total, nil
		}
		steps += a.steps
		q.name = a.name
	}
	return nil, Meta{}, errChain
}

var errChain = errors.New("the chain of CNAMEs is too long")

// ask puts one question to the servers in turn until one gives an answer that
// means something. trusted says whether that server's AD bit counts.
func (r *Resolver) ask(ctx context.Context, q question) (m *dns.Msg, trusted bool, err error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	s := r.settings.Load()
	first := 0
	if s.rotate {
		first = int(r.turn.Add(1) % uint32(len(s.servers)))
	}
	for range s.attempts {
		for i := range s.servers {
			at := s.servers[(first+i)%len(s.servers)]
			m, err = exchange(ctx, at.addr, q, s.timeout)
			if err == nil {
				return m, at.trust, nil
			}
			if ctx.Err() != nil {
				return nil, false, ctx.Err()
			}
		}
	}
	return nil, false, err
}
