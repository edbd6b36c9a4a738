package client

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"posthorn/internal/verdict"
)

// A message whose file fails half way must not be ended: the host would take
// the torso for the whole.
func TestFileFails(t *testing.T) {
	at, wait := scripted(t, hello()+`
		C: MAIL FROM:<a@x.example>
		S: 250 ok
		C: RCPT TO:<b@y.example>
		S: 250 ok
		C: DATA
		S: 354 go`)
	c := greeted(t, at)
	m := message(t, text, "b@y.example")
	m.Open = func() io.Reader {
		return io.MultiReader(strings.NewReader(text[:5]), iotest.ErrReader(errors.New("bad sector")))
	}
	o := c.Send(m)
	if o.Unsure || o.Verdicts[0].Kind != verdict.Later || !c.Broken() || strings.Contains(o.Verdicts[0].Text, "sector") {
		t.Errorf("got %s, want later without detail and not unsure", outcome(o))
	}
	wait()
}

// A host that refuses in the midst of a long message and closes is heard.
func TestEarlyRefusal(t *testing.T) {
	at, wait := scripted(t, hello()+`
		C: MAIL FROM:<a@x.example>
		S: 250 ok
		C: RCPT TO:<b@y.example>
		S: 250 ok
		C: DATA
		S: 354 go
		S: 552 5.3.4 too long for us
		X`)
	c := greeted(t, at)
	long := "A: b\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 400_000)
	o := c.Send(message(t, long, "b@y.example"))
	// A reset may overtake the reply: then the connection is lost, which is later.
	if got := outcome(o); got != "never 5.3.4 552 5.3.4 too long for us" && got != "later 4.4.2 connection lost (message)" {
		t.Errorf("got %s", got)
	}
	if o.Unsure {
		t.Error("got unsure, but the end never went out")
	}
	wait()
}

// A host that stops reading does not hold a sender for ever.
func TestStalledReceiver(t *testing.T) {
	asleep := make(chan struct{})
	t.Cleanup(func() { close(asleep) })
	at, _ := scripted(t, hello()+dataScript+"F", func() { <-asleep })
	c := greeted(t, at)
	c.o.Timeout = 50 * time.Millisecond
	long := strings.Repeat("x", 16<<20) // More than the buffers of both ends hold.
	if got := outcome(c.Send(message(t, long, "b@y.example"))); got != "later 4.4.2 timed out (message)" {
		t.Errorf("got %s, want a timeout", got)
	}
}

const dataScript = `
	C: MAIL FROM:<a@x.example>
	S: 250 ok
	C: RCPT TO:<b@y.example>
	S: 250 ok
	C: DATA
	S: 354 go
`

// The end of the context cuts a conversation before the end of the message is
// out.
func TestStop(t *testing.T) {
	at, wait := scripted(t, hello()+dataScript)
	c := greeted(t, at)
	ctx, cancel := context.WithCancel(t.Context())
	defer c.Watch(ctx)()
	m := message(t, text, "b@y.example")
	m.Open = func() io.Reader {
		cancel()
		c.awaitStop(t)
		return strings.NewReader(text)
	}
	if got := outcome(c.Send(m)); got != "later 4.3.2 the mail system is stopping" {
		t.Errorf("got %s", got)
	}
	wait()
}

// While the reply to a whole message is outstanding, it has the grace.
func TestStopLate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var c *Conn
	at, wait := scripted(t, hello()+dataScript+"M:\nF\nS: 250 kept", func() {
		cancel()
		c.awaitStop(t)
	})
	c = greeted(t, at)
	defer c.Watch(ctx)()
	if got := outcome(c.Send(message(t, text, "b@y.example"))); got != "done 2.0.0 250 kept" {
		t.Errorf("got %s", got)
	}
	wait()
}

// And no more than the grace.
func TestStopGraceEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asleep := make(chan struct{})
	t.Cleanup(func() { close(asleep) })
	at, _ := scripted(t, hello()+dataScript+"M:\nF", func() {
		cancel()
		<-asleep
	})
	c := greeted(t, at)
	c.o.Grace = time.Millisecond
	defer c.Watch(ctx)()
	if got := outcome(c.Send(message(t, text, "b@y.example"))); got != "later 4.4.2 connection lost (end of message) unsure" {
		t.Errorf("got %s", got)
	}
}

// awaitStop waits until the watch has seen the end of the context.
func (c *Conn) awaitStop(t *testing.T) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		c.mu.Lock()
		stopped := c.stopped
		c.mu.Unlock()
		if stopped {
			return
		}
		if time.Now().After(deadline) {
			t.Error("waited for too long")
			return
		}
		time.Sleep(time.Millisecond)
	}
}
