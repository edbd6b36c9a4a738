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
	move  func() error // all that has come; an error ends the lane
	rest  func()       // before it is parked
	end   func()
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
			l.rest()
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
