package main

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
)

// queuePerWorker is how many logins may wait for each place of a pool.
const queuePerWorker = 64

var errBusy = errors.New("too many logins wait already")

// pool bounds how many hashes are computed at a time and how many logins wait
// for their turn, so that logins cost bounded memory and leave processors to
// others. One client network may hold a quarter of the queue at most. Turns
// come in the order of arrival.
type pool struct {
	places chan struct{}
	most   int             // in the pool, working or waiting
	busy   func(busy bool) // told when the first comes and when the last has gone; may be nil

	mu       sync.Mutex
	inside   int
	byClient map[netip.Prefix]int
}

func newPool(workers int) *pool {
	return &pool{places: make(chan struct{}, workers), most: workers * (1 + queuePerWorker), byClient: map[netip.Prefix]int{}}
}

// do runs f here when its turn has come. It returns errBusy at once where the
// queue is full, or ctx's error when ctx ends first; f did not run then.
func (p *pool) do(ctx context.Context, client netip.Prefix, f func()) error {
	if !p.enter(client) {
		return errBusy
	}
	defer p.leave(client)
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.places }()
	f()
	return nil
}

// enter counts one login of client unless all, or the client, have their share.
func (p *pool) enter(client netip.Prefix) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inside >= p.most || p.byClient[client] >= p.most/4 {
		return false
	}
	p.inside++
	p.byClient[client]++
	if p.inside == 1 && p.busy != nil {
		p.busy(true)
	}
	return true
}

func (p *pool) leave(client netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inside--; p.inside == 0 && p.busy != nil {
		p.busy(false)
	}
	if p.byClient[client]--; p.byClient[client] == 0 {
		delete(p.byClient, client)
	}
}

// processors keeps authd to one processor but for hashes: any other request costs
// less than to wake a second thread for it.
func processors() (busy func(bool)) {
	all := runtime.GOMAXPROCS(1)
	return func(busy bool) {
		if busy {
			runtime.GOMAXPROCS(all)
			return
		}
		runtime.GOMAXPROCS(1)
	}
}
