package session

import (
	"errors"
	"io"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/park"
	"posthorn/internal/sock"
)

// ErrStopping is why sessions end when the program is told to stop.
var ErrStopping = errors.New("server is going down")

// Stream is a client's connection: an *os.File of a socket, for it takes half of
// the memory of a net.Conn. Tests have others.
type Stream interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Conn is one client that has logged in. Reading gives what the login side had
// read already, and then what the client sends; over TLS the bytes are clear
// here. It may be read, written and closed from different goroutines at the same
// time, but read by one at a time.
type Conn struct {
	Stream             // the TCP socket of a plain client, a Unix one of a relayed one
	SID     string     // of the login connection, for the log
	Service string     // imap or pop3
	Tag     string     // of the login command, for IMAP's answer
	TLS     bool       // the client's side of the login process is encrypted
	Offered string     // SASL mechanisms of which the login side has told the client, with blanks
	Client  netip.Addr // as authd bound it to the ticket
	User    string     // as whom the client logged in
	box     string     // whose sessions are counted together
	pending []byte
	back    *sock.Client // where it may go back, or nil

	mu   sync.Mutex
	spot *park.Spot // of the visit, or nil

	folder      string // as SetFolder said
	active      bool
	since, last int64 // microseconds since 1970

	ended error // why the session is to end
}

// Read reads pending bytes first.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.pending) == 0 {
		return c.Stream.Read(p)
	}
	n := copy(p, c.pending)
	if c.pending = c.pending[n:]; len(c.pending) == 0 {
		c.pending = nil
	}
	return n, nil
}

// SetReadDeadline bounds reads, except those that End has ended.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return nil
	}
	return c.Stream.SetReadDeadline(t)
}

// Wake gives the session the event News, unless there is none to give it to.
func (c *Conn) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spot != nil {
		c.spot.Wake()
	}
}

// goodbye is how long a session may take to end after End.
const goodbye = 10 * time.Second

// End has the session end for the reason why: its next event is Over, a read
// that waits returns os.ErrDeadlineExceeded, and so does every later one. After
// ten seconds nothing can be written either. The first reason counts.
func (c *Conn) End(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return
	}
	c.ended = why
	c.Stream.SetReadDeadline(time.Unix(1, 0))
	if c.spot != nil {
		c.spot.Wake()
	}
	time.AfterFunc(goodbye, c.shut)
}

// Ended returns why the session is to end, nil while it may go on.
func (c *Conn) Ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// shut ends the connection for all who hold it. Closing it is its session's.
func (c *Conn) shut() {
	file, ok := c.Stream.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := file.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}

// settle binds c to the spot from which its session is called.
func (c *Conn) settle(spot *park.Spot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spot = spot
	if c.ended != nil {
		spot.Wake()
	}
}
