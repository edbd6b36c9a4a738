package main

import (
	"slices"
	"sync"
	"time"

	"posthorn/queued/queue-remote/internal/client"
)

// Limits of kept connections.
const (
	keepIdle = 3 * time.Second // a host's patience is not ours to use up
	keepMost = 64
	keepUses = 100 // messages over one connection
)

// way is what makes two conversations interchangeable.
type way struct {
	host               host
	tls, login, cafile string
	lmtp               bool
}

// kept is a conversation that waits for more mail.
type kept struct {
	way   way
	c     *client.Conn
	uses  int
	timer *time.Timer
}

// pool keeps conversations for a few seconds after a message, for the next one
// to the same host. It is safe for concurrent use.
type pool struct {
	idle time.Duration

	mu     sync.Mutex
	closed bool
	list   []*kept
}

// take returns a conversation with nothing under way, or nil. It may have died
// meanwhile.
func (p *pool) take(w way) *kept {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.list) - 1; i >= 0; i-- {
		if k := p.list[i]; k.way == w && k.timer.Stop() {
			p.list = slices.Delete(p.list, i, i+1)
			return k
		}
	}
	return nil
}

// put keeps a conversation; false means that the caller has to end it.
func (p *pool) put(k *kept) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || k.uses >= keepUses || len(p.list) >= keepMost || k.c.Broken() {
		return false
	}
	k.timer = time.AfterFunc(p.idle, func() { p.expire(k) })
	p.list = append(p.list, k)
	return true
}

func (p *pool) expire(k *kept) {
	p.mu.Lock()
	p.list = slices.DeleteFunc(p.list, func(other *kept) bool { return other == k })
	p.mu.Unlock()
	k.c.Quit()
}

// close ends all that are kept and keeps none from now on.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	list := p.list
	p.list = nil
	p.mu.Unlock()
	var all sync.WaitGroup
	for _, k := range list {
		if k.timer.Stop() {
			all.Go(k.c.Quit)
		}
	}
	all.Wait()
}
