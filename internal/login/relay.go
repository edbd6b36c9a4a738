package login

import (
	"crypto/tls"
	"errors"
	"sync"
	"time"
)

// Times of a relay.
const (
	clientWrite = 5 * time.Minute  // a client that takes nothing is gone
	lastWords   = 10 * time.Second // for the client to end after the session did
)

// chunk is what a relay moves at once: one TLS record.
const chunk = 16 << 10

// chunks lends buffers to relays; an idle one holds none.
type chunks struct{ pool sync.Pool }

func (c *chunks) get() *[]byte {
	if b, ok := c.pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, chunk)
	return &b
}

func (c *chunks) put(b *[]byte) { c.pool.Put(b) }

// relay carries the clear bytes of one TLS connection to a session program and
// back. Each direction is a loop of two steps, move and wait, and keeps
// nothing between them but this struct: whoever parks idle relays replaces wait.
type relay struct {
	client  *tls.Conn
	socket  *socket // below client, eager
	session *socket // our end of the socketpair, eager
	buffers *chunks
}

// run returns when both sides have ended or either one failed; it leaves
// closing to the caller. Close both to end it early.
func (r *relay) run() {
	r.socket.eager, r.session.eager = true, true
	up := make(chan struct{})
	go func() {
		defer close(up)
		r.up()
		// Half a close: the session may still have something to say.
		r.session.CloseWrite()
	}()
	r.down()
	// The session's end is the end: what the client still sends has no reader.
	r.client.SetWriteDeadline(time.Now().Add(lastWords))
	r.client.CloseWrite()
	r.socket.CloseWrite()
	r.socket.SetReadDeadline(time.Now().Add(lastWords))
	r.session.Close()
	<-up
}

// up moves from the client to the session until either ends.
func (r *relay) up() error {
	for {
		if err := r.moveUp(); err != nil {
			return err
		}
		if err := r.socket.wait(); err != nil {
			return err
		}
	}
}

// moveUp moves what the client sent. A session that does not read holds this
// up, and with it the client.
func (r *relay) moveUp() error {
	buf := r.buffers.get()
	defer r.buffers.put(buf)
	for {
		n, err := r.client.Read(*buf)
		if n > 0 {
			if _, werr := r.session.Write((*buf)[:n]); werr != nil {
				return werr
			}
		}
		switch {
		case errors.Is(err, again{}):
			return nil
		case err != nil:
			return err
		}
	}
}

// down moves from the session to the client until either ends.
func (r *relay) down() error {
	for {
		if err := r.moveDown(); err != nil {
			return err
		}
		if err := r.session.wait(); err != nil {
			return err
		}
	}
}

// moveDown moves what the session sent.
func (r *relay) moveDown() error {
	buf := r.buffers.get()
	defer r.buffers.put(buf)
	for {
		n, err := r.session.Read(*buf)
		if n > 0 {
			r.client.SetWriteDeadline(time.Now().Add(clientWrite))
			if _, werr := r.client.Write((*buf)[:n]); werr != nil {
				return werr
			}
		}
		switch {
		case errors.Is(err, again{}):
			// up may answer a key update at any later time.
			r.client.SetWriteDeadline(time.Time{})
			return nil
		case err != nil:
			return err
		}
	}
}
