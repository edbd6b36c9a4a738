package park

import (
	"sync/atomic"
	"time"
)

// Bounds of the goroutines without work that a Lot keeps.
const (
	spare    = 32
	restless = time.Second // with nothing to do for so long they end
)

// crew are goroutines that work for one connection after another: the stack of a
// new one is small and would grow, by copies, for each client.
type crew struct {
	jobs chan func()
	idle chan struct{} // has one for each that waits

	armed atomic.Bool // a look is due
	ran   atomic.Bool // since the last
}

func newCrew() *crew {
	return &crew{jobs: make(chan func()), idle: make(chan struct{}, spare)}
}

// Run has job run in a goroutine of the lot's, and does not wait for it. A job
// that panics ends the program.
func (l *Lot) Run(job func()) { l.crew.run(job) }

func (c *crew) run(job func()) {
	select {
	case c.jobs <- job:
	default:
		go c.work(job)
	}
}

// work runs job, and then others for as long as there are any.
func (c *crew) work(job func()) {
	for job != nil {
		job()
		c.ran.Store(true) // before arm, which look answers in the other order
		select {
		case c.idle <- struct{}{}:
		default:
			return
		}
		c.arm()
		job = <-c.jobs
		<-c.idle
	}
}

// arm has look called once.
func (c *crew) arm() {
	if !c.armed.Load() && c.armed.CompareAndSwap(false, true) {
		time.AfterFunc(restless, c.look)
	}
}

// look ends those that wait when nothing was to do since the last look.
func (c *crew) look() {
	c.armed.Store(false)
	if c.ran.Swap(false) {
		c.arm()
		return
	}
	for {
		select {
		case c.jobs <- nil:
		default:
			return
		}
	}
}
