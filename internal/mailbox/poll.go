package mailbox

import (
	"sync"
	"time"
)

// pollEvery is how often folders are looked at that the kernel does not watch
// for us.
const pollEvery = 2 * time.Second

// poller looks after the folders that could not be watched.
type poller struct {
	every time.Duration

	mu      sync.Mutex
	folders map[*folder]times
	stop    chan struct{}
	done    chan struct{}
}

// add looks after f until remove.
func (p *poller) add(f *folder) {
	now, _ := f.now() // an error makes the first look differ, which wakes the sessions
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.folders == nil {
		p.folders = make(map[*folder]times)
		p.stop, p.done = make(chan struct{}), make(chan struct{})
		go p.run(time.NewTicker(p.every))
	}
	p.folders[f] = now
}

func (p *poller) remove(f *folder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.folders, f)
}

// close ends the looking.
func (p *poller) close() {
	p.mu.Lock()
	stop, done := p.stop, p.done
	p.mu.Unlock()
	if stop != nil {
		close(stop)
		<-done
	}
}

func (p *poller) run(tick *time.Ticker) {
	defer close(p.done)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.look()
		}
	}
}

// look wakes the sessions of folders that changed.
func (p *poller) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for f, was := range p.folders {
		now, err := f.now()
		if err == nil && now != was {
			p.folders[f] = now
			f.audience.tell(nil)
		}
	}
}
