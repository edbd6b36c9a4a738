package starter

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
)

// tagName is the first attribute of each request to a child and of its answer:
// a child works on several at a time.
const tagName = "tag"

// sendTime bounds the write of a request.
const sendTime = 30 * time.Second

// errRetired means that a child took no more requests: this one was not begun.
var errRetired = errors.New("child takes no more requests")

// child is the daemon's end of one child.
type child struct {
	id    Identity
	key   key
	ready chan struct{} // closed when conn or err is set
	conn  *attr.Conn
	err   error

	writing sync.Mutex

	mu      sync.Mutex
	pending map[string]chan attr.List // a closed channel: no answer will come
	last    int
	ended   bool
}

// do makes one exchange.
func (c *child) do(ctx context.Context, req attr.List, f *os.File) (attr.List, error) {
	tag, answer, err := c.enter()
	if err != nil {
		return nil, err
	}
	defer c.leave(tag)
	if err := c.send(append(attr.List{{Name: tagName, Value: tag}}, req...), f); err != nil {
		return nil, err
	}
	select {
	case l, ok := <-answer:
		switch {
		case !ok:
			return nil, ErrEnded
		case l.Get(againName) != "":
			return nil, errRetired
		}
		return l, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// send writes one list. The child does nothing but read, so a write that takes
// long means that it is stopped or worse.
func (c *child) send(l attr.List, f *os.File) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.conn.WriteWithin(sendTime)
	err := c.conn.Write(l, f)
	switch {
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET), errors.Is(err, net.ErrClosed):
		// Not all of the list went out, so it was not begun.
		return errRetired
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.conn.Unix().Close() // perhaps in the middle of a list
	}
	return err
}

func (c *child) enter() (tag string, answer chan attr.List, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return "", nil, errRetired
	}
	c.last++
	tag = strconv.Itoa(c.last)
	answer = make(chan attr.List, 1)
	c.pending[tag] = answer
	return tag, answer, nil
}

func (c *child) leave(tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, tag)
}

// read hands answers out until the child has ended.
func (c *child) read() {
	defer c.conn.Close()
	for {
		l, f, err := c.conn.Read()
		if f != nil {
			f.Close() // nobody asked for one
		}
		if err != nil || len(l) == 0 || l[0].Name != tagName {
			c.end()
			return
		}
		c.mu.Lock()
		answer := c.pending[l[0].Value]
		delete(c.pending, l[0].Value)
		c.mu.Unlock()
		if answer != nil {
			answer <- l[1:]
		}
	}
}

// end tells everyone who waits that no answer comes.
func (c *child) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for tag, answer := range c.pending {
		close(answer)
		delete(c.pending, tag)
	}
}
