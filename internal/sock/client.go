package sock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"posthorn/internal/attr"
)

// Client sends requests to one server over pooled connections. It is safe for
// concurrent use.
type Client struct {
	Path    string
	Proto   string
	Timeout time.Duration // of one request, unless its context ends earlier; default 30 s
	Peers   []int         // uids that the server may have; nil means any

	mu   sync.Mutex
	idle []pooled    // the one that was used last is the last
	trim *time.Timer // runs while there are more than fewIdle
}

// pooled is a connection that waits for the next request.
type pooled struct {
	*attr.Conn
	since time.Time
}

// Bounds of the pooled connections. What a burst took, some 20 KiB with both ends, goes
// before package calm gives memory back.
const (
	maxIdle  = 64
	fewIdle  = 2                      // that stay
	restless = 500 * time.Millisecond // how long the others do
)

// Do sends req, which need not name the protocol, and f as attr.Conn.Write does, and
// returns the answer. f stays the caller's. A descriptor in the answer is
// closed. A request goes out a second time only where the first connection was
// pooled and its server left before it read anything.
func (c *Client) Do(ctx context.Context, req attr.List, f syscall.Conn) (attr.List, error) {
	l, out, err := c.DoFile(ctx, req, f)
	if out != nil {
		out.Close()
	}
	return l, err
}

// DoFile is Do, with the descriptor that came with the answer, or nil.
func (c *Client) DoFile(ctx context.Context, req attr.List, f syscall.Conn) (attr.List, *os.File, error) {
	if len(req) == 0 || req[0].Name != "proto" {
		req = slices.Insert(slices.Clone(req), 0, attr.Attr{Name: "proto", Value: c.Proto})
	}
	for {
		conn, pooled, err := c.conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		l, out, err := c.once(ctx, conn, req, f)
		if err == nil {
			return l, out, nil
		}
		if stale(err) && pooled && ctx.Err() == nil {
			continue // the server was restarted since; others of the pool are as old
		}
		return nil, nil, fmt.Errorf("%s: %w", c.Path, err)
	}
}

// once makes one exchange and puts the connection back after a good one.
func (c *Client) once(ctx context.Context, conn *attr.Conn, req attr.List, f syscall.Conn) (attr.List, *os.File, error) {
	conn.Until(c.deadline(ctx))
	stop := context.AfterFunc(ctx, func() { conn.Unix().SetDeadline(time.Unix(1, 0)) })
	err := conn.Write(req, f)
	if err != nil {
		stop()
		conn.Close()
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
			err = &staleError{err}
		}
		return nil, nil, errors.Join(ctx.Err(), err)
	}
	l, out, err := conn.Read()
	if !stop() || err != nil {
		conn.Close()
		if err == nil {
			return l, out, nil
		}
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		return nil, nil, err
	}
	c.put(conn)
	return l, out, nil
}

// staleError says that the server had left before it could read all of the
// request. A request that no list can hold, or that a server does not read, is
// no better on the next connection.
type staleError struct{ err error }

func (e *staleError) Error() string { return e.err.Error() }
func (e *staleError) Unwrap() error { return e.err }

func stale(err error) bool {
	var s *staleError
	return errors.As(err, &s)
}

func (c *Client) deadline(ctx context.Context) time.Time {
	t := c.Timeout
	if t <= 0 {
		t = 30 * time.Second
	}
	d := time.Now().Add(t)
	if cd, ok := ctx.Deadline(); ok && cd.Before(d) {
		d = cd
	}
	return d
}

// conn returns a pooled connection or dials one. A pooled one whose server has
// left is found out by the write.
func (c *Client) conn(ctx context.Context) (conn *attr.Conn, pooled bool, err error) {
	if conn := c.take(); conn != nil {
		return conn, true, nil
	}
	dial := net.Dialer{Deadline: c.deadline(ctx)}
	nc, err := dial.DialContext(ctx, "unix", c.Path)
	if err != nil {
		return nil, false, err
	}
	u := nc.(*net.UnixConn)
	if err := c.check(u); err != nil {
		u.Close()
		return nil, false, err
	}
	return attr.NewConn(u), false, nil
}

func (c *Client) check(u *net.UnixConn) error {
	if c.Peers == nil {
		return nil
	}
	p, err := PeerOf(u)
	if err != nil {
		return err
	}
	if !slices.Contains(c.Peers, p.UID) {
		return fmt.Errorf("%s: server has uid %d, expected one of %v", c.Path, p.UID, c.Peers)
	}
	return nil
}

// take returns the connection that was used last, or nil.
func (c *Client) take() *attr.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return nil
	}
	conn := c.idle[n-1].Conn
	c.idle = c.idle[:n-1]
	return conn
}

func (c *Client) put(conn *attr.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= maxIdle {
		conn.Close()
		return
	}
	c.idle = append(c.idle, pooled{conn, time.Now()})
	if c.trim == nil && len(c.idle) > fewIdle {
		c.trim = time.AfterFunc(restless, func() { c.shrink(time.Now()) })
	}
}

// shrink closes what has not been used for a while.
func (c *Client) shrink(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := 0
	for len(c.idle)-old > fewIdle && now.Sub(c.idle[old].since) >= restless {
		c.idle[old].Close()
		old++
	}
	c.idle = slices.Delete(c.idle, 0, old)
	if c.trim != nil && len(c.idle) > fewIdle {
		c.trim.Reset(restless)
		return
	}
	c.trim = nil
}

// Close closes the pooled connections. The client can be used again.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		conn.Close()
	}
	c.idle = nil
	if c.trim != nil {
		c.trim.Stop()
		c.trim = nil
	}
}
