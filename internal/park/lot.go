package park

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// calm is how long nothing must have happened before memory is given back.
const calm = 3 * time.Second

// moment is how long Linger waits. In a dialogue of a program the next line
// comes within.
const moment = time.Second

// Lot holds the spots of a process. It is safe for concurrent use.
type Lot struct {
	Moment time.Duration // of Linger; set before the first Rent

	set *os.File // the epoll set, which Go's poller watches
	raw syscall.RawConn

	mu    sync.Mutex
	spots map[int32]*Spot // by descriptor
	moved bool            // since the last look of settle
	timer *time.Timer     // of settle; runs only while there is something to look at
	armed bool
}

// Open returns a Lot without spots. The caller closes it.
func Open() (*Lot, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true) // for Go's poller
	}
	if err != nil {
		return nil, fmt.Errorf("epoll set: %w", err)
	}
	l := &Lot{Moment: moment, set: os.NewFile(uintptr(fd), "epoll"), spots: make(map[int32]*Spot)}
	if l.raw, err = l.set.SyscallConn(); err != nil {
		l.set.Close()
		return nil, fmt.Errorf("epoll set: %w", err)
	}
	l.timer = time.AfterFunc(time.Hour, l.settle)
	l.timer.Stop()
	go l.run()
	return l, nil
}

// Close ends the lot: what is parked is not called any more.
func (l *Lot) Close() error {
	l.mu.Lock()
	l.timer.Stop()
	l.mu.Unlock()
	return l.set.Close()
}

// run releases those whose connection has something to read.
func (l *Lot) run() {
	var events [64]unix.EpollEvent
	for {
		n := 0
		err := l.raw.Read(func(fd uintptr) bool {
			var err error
			for n, err = unix.EpollWait(int(fd), events[:], 0); err == unix.EINTR; {
				n, err = unix.EpollWait(int(fd), events[:], 0)
			}
			return n > 0 || err != nil
		})
		if err != nil || n < 0 {
			return
		}
		l.mu.Lock()
		for _, e := range events[:n] {
			// A spot that was left meanwhile is not there any more. One whose
			// descriptor another connection has got is called without need.
			if s := l.spots[e.Fd]; s != nil {
				s.release()
			}
		}
		l.mu.Unlock()
	}
}

// touch notes that somebody came or went; l.mu is held.
func (l *Lot) touch() {
	l.moved = true
	if !l.armed {
		l.armed = true
		l.timer.Reset(calm)
	}
}

// settle gives memory back when nobody came or went since its last look.
func (l *Lot) settle() {
	l.mu.Lock()
	moved := l.moved
	l.moved, l.armed = false, moved
	if moved {
		l.timer.Reset(calm)
	}
	l.mu.Unlock()
	if !moved {
		debug.FreeOSMemory()
	}
}
