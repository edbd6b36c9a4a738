package park

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is a connection of the kernel, such as *net.TCPConn and an *os.File of a
// socket.
type Conn interface {
	syscall.Conn
	SetReadDeadline(time.Time) error
}

// Spot is the place of one connection in a Lot. One goroutine at a time works
// for the connection and calls Linger, Park, Woken and Leave; Wake may be called
// by any.
type Spot struct {
	lot  *Lot
	conn Conn
	raw  syscall.RawConn
	call func()

	// The lot's mutex protects these.
	until     time.Duration // on the lot's clock; 0: no time
	fd        int32
	listed    bool // in the epoll set
	lingering bool
	parked    bool
	woken     bool
	left      bool
}

// Rent returns a spot for conn. After Park call is called, in a goroutine of
// the lot's. The renter leaves the spot before it closes conn, and sets no read
// deadline while it lingers.
func (l *Lot) Rent(conn Conn, call func()) (*Spot, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("spot for a connection: %w", err)
	}
	s := &Spot{lot: l, conn: conn, raw: raw, call: call}
	if err := raw.Control(func(fd uintptr) { s.fd = int32(fd) }); err != nil {
		return nil, fmt.Errorf("spot for a connection: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spots[s.fd] = s
	l.calm.Stir()
	return s, nil
}

// Linger waits for a moment and tells whether there is something to do: to read
// what has come or that the peer has left, or that Wake was called, or that it
// is until, unless that is the zero time; seldom it says so without need. It clears
// the read deadline.
func (s *Spot) Linger(until time.Time) bool {
	if !s.wait(until) {
		return true
	}
	waited := false // then Go's poller says that it is readable
	err := s.raw.Read(func(fd uintptr) bool {
		ready := waited || readable(int32(fd))
		waited = true
		return ready
	})
	return s.waited() || err == nil || over(until)
}

// wait begins to linger unless there is something to do.
func (s *Spot) wait(until time.Time) bool {
	l := s.lot
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.woken || over(until) {
		return false
	}
	end := time.Now().Add(l.Moment)
	if !until.IsZero() && until.Before(end) {
		end = until
	}
	s.conn.SetReadDeadline(end)
	s.lingering = true
	return true
}

// waited ends the lingering and tells whether there is something to do for sure.
func (s *Spot) waited() bool {
	l := s.lot
	l.mu.Lock()
	defer l.mu.Unlock()
	s.lingering = false
	s.conn.SetReadDeadline(time.Time{})
	return s.woken
}

// over tells whether it is until.
func over(until time.Time) bool { return !until.IsZero() && !time.Now().Before(until) }

// readable tells whether a read would not have to wait.
func readable(fd int32) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: fd, Events: unix.POLLIN}}, 0)
		if err != unix.EINTR {
			return n != 0
		}
	}
}

// Park has the renter called when there is something to do, as Linger says, and
// perhaps without need. The renter's goroutine does nothing for the connection
// any more. After an error, which says that the kernel takes no more, nobody is
// called and the goroutine goes on.
func (s *Spot) Park(until time.Time) error {
	l := s.lot
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calm.Stir()
	s.parked = true
	if s.woken || over(until) {
		s.release()
		return nil
	}
	if err := s.list(); err != nil {
		s.parked = false
		return fmt.Errorf("park a connection: %w", err)
	}
	s.until = 0
	if !until.IsZero() {
		s.until = until.Sub(l.began)
		l.alarm(s.until)
	}
	return nil
}

// list has the epoll set report the connection once; the lot is locked.
func (s *Spot) list() error {
	op := unix.EPOLL_CTL_ADD
	if s.listed {
		op = unix.EPOLL_CTL_MOD
	}
	err := s.lot.control(op, s.fd)
	s.listed = s.listed || err == nil
	return err
}

// control is epoll_ctl for one report of fd.
func (l *Lot) control(op int, fd int32) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: fd}
	var err error
	if cerr := l.raw.Control(func(set uintptr) { err = unix.EpollCtl(int(set), op, int(fd), &event) }); cerr != nil {
		return cerr
	}
	return err
}

// release calls the renter if it is parked; the lot is locked.
func (s *Spot) release() {
	if !s.parked || s.left {
		return
	}
	s.parked = false
	s.lot.Run(s.call)
}

// Wake gives the renter something to do: Linger ends, and what is parked is
// called.
func (s *Spot) Wake() {
	s.lot.mu.Lock()
	defer s.lot.mu.Unlock()
	s.woken = true
	if s.lingering {
		s.conn.SetReadDeadline(time.Unix(1, 0))
	}
	s.release()
}

// Woken tells whether Wake was called since it was asked last.
func (s *Spot) Woken() bool {
	s.lot.mu.Lock()
	defer s.lot.mu.Unlock()
	woken := s.woken
	s.woken = false
	return woken
}

// Leave gives the spot back; nobody is called after it.
func (s *Spot) Leave() {
	l := s.lot
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.left {
		return
	}
	s.left = true
	if s.listed {
		l.control(unix.EPOLL_CTL_DEL, s.fd) // fails only where the lot is closed
	}
	delete(l.spots, s.fd)
	l.calm.Stir()
}
