package mailbox

import (
	"sync"
	"time"
)

// pollEvery is how often folders are looked at that the kernel does not watch
// for us.
const pollEvery = 2 * time.Second

// poller looks after what could not be watched.
type poller[K, V comparable] struct {
	every time.Duration
	now   func(K) (V, error) // how something is; called for one at a time, and not after its remove
	told  func(K, error)     // it is not as it was; or there is an error, and there was none

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

// add looks after k until remove.
func (p *poller[K, V]) add(k K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	how, err := p.now(k)
	if p.seen == nil {
		p.seen = make(map[K]sighted[V])
		p.stop, p.done = make(chan struct{}), make(chan struct{})
		go p.run(time.NewTicker(p.every))
	}
	p.seen[k] = sighted[V]{how, err != nil}
}

func (p *poller[K, V]) remove(k K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.seen, k)
}

// close ends the looking.
func (p *poller[K, V]) close() {
	p.mu.Lock()
	stop, done := p.stop, p.done
	p.mu.Unlock()
	if stop != nil {
		close(stop)
		<-done
	}
}

func (p *poller[K, V]) run(tick *time.Ticker) {
	defer close(p.done)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			for k, err := range p.look() {
				p.told(k, err)
			}
		}
	}
}

// look returns what changed.
func (p *poller[K, V]) look() map[K]error {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := map[K]error{}
	for k, was := range p.seen {
		how, err := p.now(k)
		if now := (sighted[V]{how, err != nil}); now != was {
			p.seen[k], changed[k] = now, err
		}
	}
	return changed
}
