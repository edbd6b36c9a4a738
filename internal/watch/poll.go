package watch

import (
	"sync"
	"time"
)

// Poller looks now and then at what the kernel does not watch. Its fields are set before
// the first Add, which starts a goroutine that Close ends. It is safe for concurrent use.
type Poller[K, V comparable] struct {
	Every time.Duration
	Now   func(K) (V, error) // how something is; called for one at a time, and not after its Remove
	Told  func(K, error)     // it is not as it was; or there is an error, and there was none

	mu   sync.Mutex
	seen map[K]sighted[V]
	stop chan struct{}
	done chan struct{}
}

// sighted is how something was when it was looked at last.
type sighted[V comparable] struct {
	how    V
	failed bool
}

// Add looks after k until Remove.
func (p *Poller[K, V]) Add(k K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	how, err := p.Now(k)
	if p.seen == nil {
		p.seen = make(map[K]sighted[V])
		p.stop, p.done = make(chan struct{}), make(chan struct{})
		go p.run(time.NewTicker(p.Every))
	}
	p.seen[k] = sighted[V]{how, err != nil}
}

// Remove ends the looking after k.
func (p *Poller[K, V]) Remove(k K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.seen, k)
}

// Close ends the looking.
func (p *Poller[K, V]) Close() {
	p.mu.Lock()
	stop, done := p.stop, p.done
	p.mu.Unlock()
	if stop != nil {
		close(stop)
		<-done
	}
}

func (p *Poller[K, V]) run(tick *time.Ticker) {
	defer close(p.done)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			for k, err := range p.look() {
				p.Told(k, err)
			}
		}
	}
}

// look returns what changed.
func (p *Poller[K, V]) look() map[K]error {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := map[K]error{}
	for k, was := range p.seen {
		how, err := p.Now(k)
		if now := (sighted[V]{how, err != nil}); now != was {
			p.seen[k], changed[k] = now, err
		}
	}
	return changed
}
