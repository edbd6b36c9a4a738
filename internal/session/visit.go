package session

import (
	"fmt"
	"runtime/debug"
	"time"

	"posthorn/internal/evlog"
	"posthorn/internal/park"
)

// Event is why a session gets a turn.
type Event int

// The events of a session.
const (
	Begin   Event = iota // the first: the client waits for the answer to its login
	Input                // the client has sent something, or has left
	News                 // Conn.Wake was called
	Silence              // the time of the last Pause is over
	Over                 // Conn.End was called: say goodbye
)

// Pause is what a session waits for after a turn. The zero Pause is its end.
type Pause struct {
	Until time.Time // when the client has been silent for too long
	Long  bool      // the client has said that it will be silent
}

// Session speaks with one client that has logged in. Its methods are called one
// after another, from goroutines that differ: between two turns it has none,
// unless something is to come within a moment.
type Session interface {
	// Turn does what there is to do, all that the client has sent included, and
	// sends what it answers. It waits for the client only within a command. A
	// panic ends this session only.
	Turn(why Event) Pause

	// Rest is called before a longer wait: the session lets go what it does not
	// need to remember.
	Rest()

	// Close is called once, after the last turn, and releases what the Opener
	// took. The connection is not its to close.
	Close()
}

// Visit begins a session on c, a connection of the kernel, whose waits are spent
// in lot. When it is over c is closed and ended is called.
func Visit(lot *park.Lot, c *Conn, s Session, log *evlog.Log, ended func()) error {
	v := &visit{conn: c, session: s, log: log, ended: ended}
	conn, ok := c.Stream.(park.Conn)
	if !ok {
		return malformed(fmt.Sprintf("%T is no socket", c.Stream))
	}
	var err error
	if v.spot, err = lot.Rent(conn, v.resume); err != nil {
		return err
	}
	c.settle(v.spot)
	lot.Run(v.begin)
	return nil
}

// visit is a session under way.
type visit struct {
	conn    *Conn
	session Session
	log     *evlog.Log
	ended   func()
	spot    *park.Spot
	pause   Pause
}

// begin is the first turn.
func (v *visit) begin() {
	defer v.crash()
	v.turn(Begin)
	v.goOn(v.pause.Long)
}

// resume is called when a parked session has something to do.
func (v *visit) resume() {
	defer v.crash()
	v.goOn(false)
}

// goOn gives turns until there is nothing to do; parked leaves out the moment
// that a client gets for its next line.
func (v *visit) goOn(parked bool) {
	for !v.pause.Until.IsZero() {
		if len(v.conn.pending) == 0 && (parked || !v.spot.Linger(v.pause.Until)) {
			v.session.Rest()
			if v.spot.Park(v.pause.Until) == nil {
				return
			}
			parked = false // the kernel has no room: it waits as it is
			continue
		}
		v.turn(v.event())
		parked = v.pause.Long
	}
	v.end()
}

// turn has the session do what there is to do.
func (v *visit) turn(why Event) {
	v.conn.mark(true)
	v.pause = v.session.Turn(why)
	v.conn.mark(false)
}

// event tells what there is to do.
func (v *visit) event() Event {
	woken := v.spot.Woken()
	switch {
	case v.conn.Ended() != nil:
		return Over
	case woken:
		return News
	case !time.Now().Before(v.pause.Until):
		return Silence
	}
	return Input
}

// crash ends a session that has a bug.
func (v *visit) crash() {
	if p := recover(); p != nil {
		v.report(p)
		v.end()
	}
}

// end closes everything.
func (v *visit) end() {
	defer v.ended()
	defer v.conn.Close()
	defer v.spot.Leave()
	defer func() {
		if p := recover(); p != nil {
			v.report(p)
		}
	}()
	v.session.Close()
}

// report logs a bug.
func (v *visit) report(p any) {
	v.log.Crashed(v.conn.Service+"-session", fmt.Sprint(p), string(debug.Stack()))
}
