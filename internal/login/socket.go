package login

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// stream is a socket of the kernel: *net.TCPConn or *net.UnixConn.
type stream interface {
	net.Conn
	syscall.Conn
	CloseRead() error
	CloseWrite() error
}

// socket is a stream whose reader can wait without holding a buffer. Once eager
// is set, Read does not wait: it returns errAgain, and the waiting is a
// park.Spot's.
// crypto/tls keeps what it has of a record over such an error, because errAgain
// says that it is temporary.
//
// A socket has one reader and one writer at a time.
type socket struct {
	stream
	raw   syscall.RawConn
	eager bool
}

// newSocket wraps s.
func newSocket(s stream) (*socket, error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &socket{stream: s, raw: raw}, nil
}

// again is the error of an eager Read that would have to wait.
type again struct{}

func (again) Error() string   { return "nothing to read yet" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// Read reads, waiting only when the socket is not eager.
func (s *socket) Read(p []byte) (int, error) {
	if !s.eager {
		return s.stream.Read(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	return readEager(s.raw, p)
}

// readEager reads what is there, or returns again.
func readEager(raw syscall.RawConn, p []byte) (n int, err error) {
	if rerr := raw.Read(func(fd uintptr) bool {
		n, err = readNow(int(fd), p)
		return true
	}); rerr != nil {
		return 0, rerr
	}
	return n, err
}

// readNow reads what is there.
func readNow(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, again{}
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// shut ends the connection for everybody who holds it, in this process or
// another.
func (s *socket) shut() {
	s.CloseWrite()
	s.CloseRead()
}

// socketPair returns the two ends of a new stream: ours, and the file that goes
// to the session program. The caller closes both.
func socketPair() (inner, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return inner{}, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "relay"), os.NewFile(uintptr(fds[1]), "session")
	raw, err := ours.SyscallConn()
	if err != nil {
		ours.Close()
		theirs.Close()
		return inner{}, nil, err
	}
	return inner{ours, raw}, theirs, nil
}

// inner is our end of a stream to a session program. A net.UnixConn is twice as
// large.
type inner struct {
	*os.File
	raw syscall.RawConn
}

// Read reads what is there, or returns again.
func (s inner) Read(p []byte) (int, error) { return readEager(s.raw, p) }

// shut ends the stream, or the half of it that how says (unix.SHUT_WR).
func (s inner) shut(how int) {
	s.raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), how) })
}
