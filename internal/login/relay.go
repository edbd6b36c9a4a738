package login

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
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
// back. Each direction is a lane; one that has nothing to move is parked, and
// nothing is kept but this struct and the state of TLS.
type relay struct {
	server  *Server
	sid     string
	ip      netip.Addr // of the client
	client  *tls.Conn
	socket  *socket // below client, eager
	session inner

	up, down lane

	mu    sync.Mutex
	lanes int32     // that go on
	rider *Conn     // who came back through it and is counted with it; Server.mu protects it
	until time.Time // when up ends whatever the client does; zero: not at all
}

// start begins to relay. When both sides have ended, or either failed, both
// sockets are closed and the relay is forgotten. Shut the client's socket to end it
// early. After an error nothing was begun.
func (r *relay) start() error {
	r.socket.eager = true
	r.up, r.down = lane{relay: r, up: true}, lane{relay: r}
	var err error
	if r.up.spot, err = r.server.lot.Rent(r.socket.stream, r.up.run); err != nil {
		return err
	}
	if r.down.spot, err = r.server.lot.Rent(r.session.File, r.down.run); err != nil {
		r.up.spot.Leave()
		return err
	}
	r.lanes = 2
	r.server.lot.Run(r.up.run)
	r.server.lot.Run(r.down.run)
	return nil
}

// upEnds is half a close: the session may still have something to say.
func (r *relay) upEnds() { r.session.shut(unix.SHUT_WR) }

// downEnds ends the relay: what the client still sends has no reader. It has a
// moment to end its side.
func (r *relay) downEnds() {
	end := time.Now().Add(lastWords)
	r.client.SetWriteDeadline(end)
	r.client.CloseWrite()
	r.socket.CloseWrite()
	r.session.shut(unix.SHUT_RDWR)
	r.mu.Lock()
	r.until = end
	r.mu.Unlock()
	r.up.spot.Wake()
}

// limit returns when up ends.
func (r *relay) limit() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.until
}

// leave is called by each lane at its end.
func (r *relay) leave() {
	r.mu.Lock()
	r.lanes--
	last := r.lanes == 0
	r.mu.Unlock()
	if !last {
		return
	}
	r.up.spot.Leave()
	r.down.spot.Leave()
	r.session.Close()
	r.socket.Close()
	r.server.ended(r)
}

// crashed ends a relay that has a bug.
func (r *relay) crashed(p any) {
	r.server.log.Crashed(r.server.proto.Service(), fmt.Sprint(p), string(debug.Stack()))
	r.socket.shut()
	r.session.shut(unix.SHUT_RDWR)
}

// moveUp moves what the client sent. A session that does not read holds this
// up, and with it the client.
func (r *relay) moveUp() error {
	buf := r.server.buffers.get()
	defer r.server.buffers.put(buf)
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

// moveDown moves what the session sent.
func (r *relay) moveDown() error {
	buf := r.server.buffers.get()
	defer r.server.buffers.put(buf)
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
