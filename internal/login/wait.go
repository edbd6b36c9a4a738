package login

import (
	"context"
	"errors"
	"os"
	"time"
)

// moment is how long a goroutine waits for its client, before the login and in a
// relay. Who is silent for longer is parked.
const moment = 250 * time.Millisecond

// expect waits for the first byte of a client that is to begin with TLS. It is
// false when the goroutine has to.
func (c *Conn) expect(resume func()) bool {
	c.silent = c.limit()
	return c.park(resume)
}

// greet begins the dialogue with a client that was expected, or comes in clear.
func (c *Conn) greet(ctx context.Context) error {
	if c.entry.implicit {
		if !c.silent.IsZero() && !time.Now().Before(c.silent) {
			return &handshakeError{os.ErrDeadlineExceeded}
		}
		c.silent = time.Time{}
		if err := c.handshake(ctx); err != nil {
			return err
		}
	}
	if c.resumed {
		c.dialogue = c.server.proto.(Returner).Resume(c)
	} else {
		c.dialogue = c.server.proto.Begin(ctx, c)
	}
	return nil
}

// speak has the protocol answer what the client says. parked means that the client
// is silent: resume is called when it is not any more.
func (c *Conn) speak(ctx context.Context, resume func()) (parked bool, err error) {
	for {
		begun, err := c.await(ctx)
		if err != nil {
			return false, err
		}
		if !begun {
			if c.park(resume) {
				return true, nil
			}
			continue
		}
		if over, err := c.dialogue.Turn(ctx); over || err != nil {
			return false, err
		}
	}
}

// await sends what was written and waits for the beginning of a command; begun is
// false when the client is silent, which it may be for one login-timeout.
func (c *Conn) await(ctx context.Context) (begun bool, err error) {
	if len(c.in.buffered()) > 0 {
		return true, nil
	}
	if c.silent.IsZero() {
		c.silent = c.limit()
		if err := c.Flush(); err != nil {
			return false, err
		}
	}
	if !time.Now().Before(c.silent) {
		return false, os.ErrDeadlineExceeded
	}
	end := time.Now().Add(moment)
	if end.After(c.silent) {
		end = c.silent
	}
	c.server.setReadDeadline(c, end)
	err = c.in.fill()
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		return false, nil
	}
	if err == nil {
		c.silent = time.Time{}
	}
	return err == nil, err
}

// park lets go of what a silent client does not need and has resume called when
// there is something to read, or its time is over. It is false when the goroutine
// has to wait.
func (c *Conn) park(resume func()) bool {
	c.in.rest()
	c.out = nil
	if c.tls != nil {
		c.server.slack.drop(c.tls)
	}
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	if c.spot == nil {
		var err error
		if c.spot, err = s.lot.Rent(c.socket.stream, resume); err != nil {
			return false
		}
	}
	return c.spot.Park(c.silent) == nil
}

// unpark ends what park began, for good.
func (c *Conn) unpark() {
	c.server.mu.Lock()
	spot := c.spot
	c.spot = nil
	c.server.mu.Unlock()
	if spot != nil {
		spot.Leave()
	}
}
