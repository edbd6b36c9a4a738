package attr

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Conn carries lists over a Unix stream socket, one at a time, each with at
// most one descriptor. It is not safe for concurrent use.
type Conn struct {
	unix  *net.UnixConn
	in    *bufio.Reader
	oob   []byte
	file  *os.File // came with the list being read
	extra bool     // a second descriptor came with the same list
	lost  bool     // a descriptor that was sent; nothing more is read
	out   []byte
	until time.Time // the deadline that was set last
}

// ErrDescriptors means that a descriptor was sent and not received: there were
// several with one list, which is against the protocol, or this process has as
// many as it may have.
var ErrDescriptors = errors.New("attr: a descriptor was lost: too many open files here, or several were sent")

// NewConn returns a Conn over c, which it owns from now on.
func NewConn(c *net.UnixConn) *Conn {
	// One descriptor only has room here: the kernel closes the others and
	// says so with MSG_CTRUNC.
	a := &Conn{unix: c, oob: make([]byte, unix.CmsgSpace(4))}
	a.in = bufio.NewReaderSize(fdReader{a}, MaxLine)
	return a
}

// fdReader reads bytes and collects descriptors on the way.
type fdReader struct{ c *Conn }

func (r fdReader) Read(p []byte) (int, error) {
	c := r.c
	if c.lost { // a Wait may have met and dropped the error
		return 0, ErrDescriptors
	}
	n, oobn, flags, _, err := c.unix.ReadMsgUnix(p, c.oob)
	if oobn > 0 {
		if ferr := c.collect(c.oob[:oobn]); ferr != nil {
			return 0, ferr
		}
	}
	if c.lost = flags&unix.MSG_CTRUNC != 0; c.lost {
		return 0, ErrDescriptors
	}
	if errors.Is(err, io.EOF) { // the net package wraps it here
		err = io.EOF
	}
	return max(n, 0), err // n is -1 after some errors
}

// collect takes the descriptor out of the control message.
func (c *Conn) collect(oob []byte) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("attr: control message: %w", err)
	}
	for _, m := range msgs {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			// ReadMsgUnix asks for MSG_CMSG_CLOEXEC.
			f := os.NewFile(uintptr(fd), "received descriptor")
			if c.file != nil {
				f.Close()
				c.extra = true
				continue
			}
			c.file = f
		}
	}
	return nil
}

// Wait returns when something of the next list is here. io.EOF means that the
// peer closed between two lists.
func (c *Conn) Wait() error {
	_, err := c.in.Peek(1)
	return err
}

// Read reads one list and the descriptor that came with it, or nil. The caller
// closes the descriptor. io.EOF means that the peer closed between two lists.
func (c *Conn) Read() (List, *os.File, error) {
	list, err := c.read()
	f := c.file
	extra := c.extra
	c.file, c.extra = nil, false
	if err == nil && extra {
		err = ErrDescriptors
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, nil, err
	}
	return list, f, nil
}

// read takes a list that is here as a whole at once: it costs two allocations
// then, not one a line.
func (c *Conn) read() (List, error) {
	if err := c.Wait(); err != nil {
		return nil, err
	}
	block := c.whole()
	if block == nil {
		return Read(c.in)
	}
	list, err := Parse(block)
	c.in.Discard(len(block))
	return list, err
}

// Whole reports whether all of the next list is here, so that Read will not
// wait for the peer.
func (c *Conn) Whole() bool { return c.whole() != nil }

// whole returns the next list as it lies in the buffer, with its empty line; nil
// when some of it is still to come.
func (c *Conn) whole() []byte {
	b, _ := c.in.Peek(c.in.Buffered())
	if len(b) > 0 && b[0] == '\n' {
		return b[:1]
	}
	end := bytes.Index(b, []byte("\n\n"))
	if end < 0 {
		return nil
	}
	return b[:end+2]
}

// Write sends one list and, unless f is nil or a nil *os.File, f's descriptor with
// its first byte. f, a file or a connection of the kernel, stays the caller's.
func (c *Conn) Write(l List, f syscall.Conn) error {
	out, err := Append(c.out[:0], l)
	if err != nil {
		return err
	}
	if cap(out) <= 64<<10 {
		c.out = out
	}
	if f == nil || f == (*os.File)(nil) {
		_, err := c.unix.Write(out)
		return err
	}
	return c.writeWith(out, f)
}

// writeWith sends the descriptor with as much as one sendmsg takes, and the
// rest after it. SyscallConn keeps f open and non-blocking meanwhile.
func (c *Conn) writeWith(out []byte, f syscall.Conn) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var werr error
	err = raw.Control(func(fd uintptr) {
		n, _, werr = c.unix.WriteMsgUnix(out, unix.UnixRights(int(fd)), nil)
	})
	if err = errors.Join(err, werr); err != nil {
		return err
	}
	if n < len(out) {
		_, err = c.unix.Write(out[n:])
	}
	return err
}

// SetDeadline bounds reads and writes from now on; the zero time lifts it.
func (c *Conn) SetDeadline(t time.Time) error {
	c.until = t
	return c.unix.SetDeadline(t)
}

// Until is SetDeadline, to an eighth of the time left: the deadline of the
// exchange before often does, and each setting moves a timer.
func (c *Conn) Until(t time.Time) error {
	if c.near(t) {
		return nil
	}
	return c.SetDeadline(t)
}

// WriteWithin is Until for limit from now, and for writes alone. A Conn has one
// or the other.
func (c *Conn) WriteWithin(limit time.Duration) error {
	t := time.Now().Add(limit)
	if c.near(t) {
		return nil
	}
	c.until = t
	return c.unix.SetWriteDeadline(t)
}

func (c *Conn) near(t time.Time) bool { return t.Sub(c.until).Abs() < time.Until(t)/8 }

// Unix returns the socket itself, for its peer's credentials.
func (c *Conn) Unix() *net.UnixConn { return c.unix }

// Close closes the socket and a descriptor that nobody took.
func (c *Conn) Close() error {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
	return c.unix.Close()
}

// ReadOnly opens f's file a second time, for reading only and with an offset
// of its own. A sent descriptor shares access mode and offset with its sender,
// so a maker sends this instead of its own. The caller closes it.
func ReadOnly(f *os.File) (*os.File, error) {
	ro, err := Reopen(f, unix.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("re-open read-only: %w", err)
	}
	return ro, nil
}

// Reopen opens the file f a second time, with flags. The caller closes it.
func Reopen(f *os.File, flags int) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var oerr error
	err = raw.Control(func(old uintptr) {
		// Not os.OpenFile, which tries whether a file can be waited for.
		for oerr = unix.EINTR; oerr == unix.EINTR; {
			fd, oerr = unix.Open("/proc/self/fd/"+strconv.Itoa(int(old)), flags|unix.O_CLOEXEC, 0)
		}
	})
	if err = errors.Join(err, oerr); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
