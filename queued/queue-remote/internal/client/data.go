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
	errLeft    = errors.New("end of message: the server left")
)

// data sends the message and its end and takes the reply for everybody who was
// accepted, or with LMTP the reply for each.
func (t *transaction) data() (unsure bool, err error) {
	c := t.c
	if err := t.stream(); err != nil {
		if errors.Is(err, errLocal) || errors.Is(err, errStopped) {
			c.Close() // The end must not go out: the server would take the torso.
			return false, err
		}
		return t.early(err)
	}
	defer c.answeredEnd()
	if c.o.LMTP {
		return t.each()
	}
	r, err := t.judgement()
	if err != nil {
		return true, err
	}
	t.settle(r.Verdict())
	return false, nil
}

// judgement reads a reply to the end of a message.
func (t *transaction) judgement() (Reply, error) {
	r, err := t.c.reply(2 * t.c.o.Timeout) // RFC 5321 4.5.3.2.6
	if err != nil {
		return r, fmt.Errorf("end of message: %w", err)
	}
	if r.class() == 3 {
		t.c.broken = true
	}
	return r, nil
}

// each takes the reply for each recipient that was accepted, in the order of the
// RCPTs (RFC 2033 4.2). Where they end early those that are left are later.
func (t *transaction) each() (unsure bool, err error) {
	for _, i := range t.accepted() {
		r, err := t.judgement()
		if err != nil {
			return true, err
		}
		t.verdicts[i] = r.Verdict()
		if t.c.broken { // Nothing that follows is an answer.
			t.settle(lost(errLeft))
			return true, nil
		}
	}
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
