package park

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/calm"
)

// Times of a Lot.
const (
	moment = time.Second // of Linger: in a dialogue of a program the next line comes within
	round  = time.Second // between two looks at who is late
)

// Lot holds the spots of a process. It is safe for concurrent use.
type Lot struct {
	Moment time.Duration // of Linger; set before the first Rent

	set *os.File // the epoll set, which Go's poller watches
	raw syscall.RawConn

	began time.Time // where the lot's clock is 0
	calm  calm.Watch
	crew  *crew

	mu    sync.Mutex
	spots map[int32]*Spot // by descriptor
	next  time.Duration   // when the first of those that are parked may be late; 0: none
	bell  *time.Timer     // rings at next
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
	l := &Lot{Moment: moment, set: os.NewFile(uintptr(fd), "epoll"), spots: make(map[int32]*Spot), began: time.Now(), crew: newCrew()}
	if l.raw, err = l.set.SyscallConn(); err != nil {
		l.set.Close()
		return nil, fmt.Errorf("epoll set: %w", err)
	}
	l.bell = time.AfterFunc(time.Hour, l.ring)
	l.bell.Stop()
	go l.run()
	return l, nil
}

// Close ends the lot: what is parked is not called any more.
func (l *Lot) Close() error {
	l.mu.Lock()
	l.bell.Stop()
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

// alarm has the bell ring at t at the latest; l.mu is held. One timer for all is
// a tenth of the memory of one each.
func (l *Lot) alarm(t time.Duration) {
	if l.next == 0 || t < l.next {
		l.next = t
		l.bell.Reset(t - time.Since(l.began))
	}
}

// ring calls those whose time is over.
func (l *Lot) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.began)
	l.next = 0
	var next time.Duration
	for _, s := range l.spots {
		switch {
		case !s.parked || s.until == 0:
		case s.until <= now:
			s.release()
		case next == 0 || s.until < next:
			next = s.until
		}
	}
	if next > 0 {
		// Who comes next may be a little late, so that there are not as many
		// rounds as there are spots.
		l.alarm(max(next, now+round))
	}
}

// Stir notes that the process has done something for a connection that has no
// spot.
func (l *Lot) Stir() { l.calm.Stir() }
