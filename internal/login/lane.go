package login

import (
	"time"

	"posthorn/internal/park"
)

// lane is one direction of a relay. It has a goroutine while there is something
// to move.
type lane struct {
	relay *relay
	spot  *park.Spot
	up    bool // from the client to the session
}

// move moves all that has come; an error ends the lane.
func (l *lane) move() error {
	if l.up {
		return l.relay.moveUp()
	}
	return l.relay.moveDown()
}

// end tells the other side.
func (l *lane) end() {
	if l.up {
		l.relay.upEnds()
	} else {
		l.relay.downEnds()
	}
}

// run moves until there is nothing to move, or to the end of the lane.
func (l *lane) run() {
	defer l.crash()
	for l.move() == nil {
		until := l.relay.limit()
		if !until.IsZero() && !time.Now().Before(until) {
			break
		}
		if !l.spot.Linger(until) {
			if l.up {
				l.relay.server.slack.drop(l.relay.client)
			}
			if l.spot.Park(until) == nil {
				return
			}
		}
		l.spot.Woken()
	}
	l.end()
	l.relay.leave()
}

// crash ends both lanes of a relay that has a bug.
func (l *lane) crash() {
	if p := recover(); p != nil {
		l.relay.crashed(p)
		l.relay.leave()
	}
}
