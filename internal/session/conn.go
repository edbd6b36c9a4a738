package session

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"posthorn/internal/directory"
)

// Conn is one client that has logged in. Reading gives what the login side had
// read already, and then what the client sends; over TLS the bytes are clear
// here. As any net.Conn it may be read, written and closed from different
// goroutines at the same time, but read by one at a time.
type Conn struct {
	net.Conn                  // *net.TCPConn of a plain client, *net.UnixConn of a relayed one
	SID       string          // of the login connection, for the log
	Service   string          // imap or pop3
	Tag       string          // of the login command, for IMAP's answer
	TLS       bool            // the client's side of the login process is encrypted
	Offered   []string        // SASL mechanisms of which the login side has told the client
	Client    netip.Addr      // as authd bound it to the ticket
	Grant     directory.Grant // what the ticket gives
	pending   []byte
	mu        sync.Mutex
	interrupt bool
}

// Read reads pending bytes first.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.pending) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.pending)
	if c.pending = c.pending[n:]; len(c.pending) == 0 {
		c.pending = nil
	}
	return n, nil
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// SetReadDeadline bounds reads, except those that a stop has ended.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupt {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// goodbye is how long a session may take to end after a stop.
const goodbye = 10 * time.Second

// stop makes the read that waits, and those that would wait later, end, and
// after the time for a goodbye the connection.
func (c *Conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupt = true
	c.Conn.SetReadDeadline(time.Unix(1, 0))
	time.AfterFunc(goodbye, func() { c.Conn.Close() })
}
