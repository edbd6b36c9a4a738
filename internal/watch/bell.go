package watch

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// bell rings once when a descriptor has something to read, and not again until it is
// waited for. Go's poller would be woken by each event of a burst of thousands that
// nobody wants to read yet.
type bell struct {
	fd  int
	set *os.File // an epoll set, which Go's poller watches
	raw syscall.RawConn
}

// newBell returns the bell of a descriptor, which stays the caller's.
func newBell(fd int) (*bell, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	err = unix.SetNonblock(set, true)
	if err == nil {
		err = unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Fd: int32(fd)})
	}
	if err != nil {
		unix.Close(set)
		return nil, err
	}
	b := &bell{fd: fd, set: os.NewFile(uintptr(set), "epoll")}
	if b.raw, err = b.set.SyscallConn(); err != nil {
		b.set.Close()
		return nil, err
	}
	return b, nil
}

// wait returns when there is something to read. Its error is that of a bell that is
// closed.
func (b *bell) wait() error {
	var failed error
	err := b.raw.Control(func(set uintptr) {
		failed = unix.EpollCtl(int(set), unix.EPOLL_CTL_MOD, b.fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(b.fd)})
	})
	if err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return b.raw.Read(func(set uintptr) bool {
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(int(set), events[:], 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}

// close ends the wait, from any goroutine.
func (b *bell) close() { b.set.Close() }
