package mailbox

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	pop3Lock   = "posthorn-pop3.lock"
	importLock = "posthorn-import.lock" // held by who brings mail from elsewhere into a box
	lockFlags  = unix.O_RDWR | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK
)

// LockPOP3 takes the mailbox for one POP3 session (RFC 1939 8). The lock ends
// with release or with the process. Errors: ErrLocked.
func (b *Box) LockPOP3() (release func(), err error) {
	fd, err := b.openLock(pop3Lock, lockFlags)
	if noRoom(err) {
		// Who has no room must be able to fetch and remove his mail: the folder
		// itself is locked, which NFS does not let us do.
		fd, err = b.openLock(".", unix.O_RDONLY|unix.O_DIRECTORY)
	}
	return hold(fd, err)
}

// LockImport takes the mailbox for one who brings mail from elsewhere. The lock
// ends with release or with the process. Errors: ErrLocked.
func (b *Box) LockImport() (release func(), err error) {
	return hold(b.openLock(importLock, lockFlags))
}

// hold locks the file fd, which it closes when it cannot; err is that of opening it.
func hold(fd int, err error) (release func(), _ error) {
	if err != nil {
		return nil, fmt.Errorf("locking mailbox: %w", err)
	}
	err = retry(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if err != nil {
		unix.Close(fd)
		if err == unix.EWOULDBLOCK {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("locking mailbox: %w", err)
	}
	return func() { unix.Close(fd) }, nil
}

func (b *Box) openLock(name string, flags int) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Openat(b.root.FD, name, flags|unix.O_CLOEXEC, 0o600)
		return err
	})
	return fd, err
}

// noRoom reports that no file can be made on the disk, though others can be read.
func noRoom(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EROFS)
}
