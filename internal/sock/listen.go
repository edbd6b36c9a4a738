// Package sock is the Unix sockets between the daemons: listening, who may
// connect, requests and answers with deadlines, and pooled clients.
package sock

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Options say whose a listening socket is. UID or GID -1 keeps the process's.
type Options struct {
	Mode     os.FileMode
	UID, GID int
}

// ErrBusy means that a live server answers at the path already.
var ErrBusy = errors.New("another server listens there")

// errReplaced means that somebody else writes in the folder.
var errReplaced = errors.New("what was made there is not there any more")

// Listen makes a socket at path. It is bound under a name of its own, owned
// and moded there, and then renamed into place, so nobody can connect before
// the mode is right; a dead server's socket is replaced, a live one's is not.
func Listen(path string, o Options) (*net.UnixListener, error) {
	if err := dead(path); err != nil {
		return nil, fmt.Errorf("listen %s: %w", path, err)
	}
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the name is another's by then
	err = place(tmp, path, o)
	if err != nil {
		l.Close()
		os.Remove(tmp)
		return nil, fmt.Errorf("listen %s: %w", path, err)
	}
	return l, nil
}

// dead returns nil where no server listens at path. One with a full queue
// answers with EAGAIN, and is as alive as any.
func dead(path string) error {
	c, err := net.Dial("unix", path)
	switch {
	case err == nil:
		c.Close()
		return ErrBusy
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return nil
	case errors.Is(err, syscall.EAGAIN):
		return ErrBusy
	}
	return err
}

func place(tmp, path string, o Options) error {
	if err := give(tmp, o); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// give sets owner and mode of the socket that was made at path. Root may have
// made it in a folder of another user, who can put something else in its place:
// what is not a socket of ours without another name is left alone.
func give(path string, o Options) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || int(st.Uid) != os.Geteuid() || st.Nlink != 1 {
		return errReplaced
	}
	if o.UID >= 0 || o.GID >= 0 {
		if err := unix.Fchownat(fd, "", o.UID, o.GID, unix.AT_EMPTY_PATH); err != nil {
			return err
		}
	}
	return os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), o.Mode.Perm())
}

// Peer is the process at the other end, as it was when it connected.
type Peer struct{ PID, UID, GID int }

// PeerOf asks the kernel who connected (SO_PEERCRED).
func PeerOf(c syscall.Conn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *unix.Ucred
	var cerr error
	err = raw.Control(func(fd uintptr) {
		cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, cerr); err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	return Peer{int(cred.Pid), int(cred.Uid), int(cred.Gid)}, nil
}
