package client

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// minRate is the slowest acceptable transfer of a message, in bytes a second,
// on top of the timeout.
const minRate = 500

var (
	errLocal   = errors.New("reading the message")           // our own file failed
	errStopped = errors.New("message: we are asked to stop") // before its end went out
)

// data sends the message and its end and takes the reply for everybody who was
// accepted.
func (t *transaction) data() (unsure bool, err error) {
	c := t.c
	if err := t.stream(); err != nil {
		if errors.Is(err, errLocal) || errors.Is(err, errStopped) {
			c.Close() // The end must not go out: the server would take the torso.
			return false, err
		}
		return t.early(err)
	}
	r, err := c.reply(2 * c.o.Timeout) // RFC 5321 4.5.3.2.6
	c.answeredEnd()
	if err != nil {
		return true, fmt.Errorf("end of message: %w", err)
	}
	if r.class() == 3 {
		c.broken = true
	}
	t.settle(r.Verdict())
	return false, nil
}

// early looks for the reply of a server that refused in the midst of the message
// and closed. Only a refusal counts: the message did not go out whole.
func (t *transaction) early(cause error) (unsure bool, err error) {
	r, err := readReplyBy(t.c, min(t.c.o.Timeout, quitTimeout))
	if err != nil || r.class() < 4 {
		return t.c.sentEnd(), fmt.Errorf("message: %w", cause)
	}
	t.settle(r.Verdict())
	return false, nil
}

func readReplyBy(c *Conn, timeout time.Duration) (Reply, error) {
	c.nc.SetReadDeadline(time.Now().Add(timeout))
	return readReply(c.br)
}

// stream writes the message block by block, the end with the last one.
func (t *transaction) stream() error {
	c := t.c
	size := t.m.Content.Size
	in := make([]byte, min(size, blockSize))
	st, r := newStuffer(len(in), t.m.Content.Odd), t.m.Open()
	deadline := time.Now().Add(2*c.o.Timeout + time.Duration(size/minRate)*time.Second)
	for left := size; ; {
		n, err := io.ReadFull(r, in[:min(left, blockSize)])
		if err != nil {
			return fmt.Errorf("%w: %w", errLocal, err)
		}
		st.add(in[:n])
		if left -= int64(n); left == 0 {
			break
		}
		if err := c.block(st, deadline); err != nil {
			return err
		}
	}
	st.end()
	if !c.sendEnd() {
		return errStopped
	}
	return c.block(st, deadline)
}

// block sends what the stuffer has made, and empties it.
func (c *Conn) block(st *stuffer, deadline time.Time) error {
	err := c.send(st.out, min(c.o.Timeout, time.Until(deadline)))
	st.out = st.out[:0]
	return err
}

// sendEnd notes that the end of a message is about to go out, unless the
// context has ended.
func (c *Conn) sendEnd() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dotted = !c.stopped
	return c.dotted
}

func (c *Conn) sentEnd() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dotted
}

func (c *Conn) answeredEnd() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dotted = false
}
