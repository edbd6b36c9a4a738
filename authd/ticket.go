package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// ticketMax bounds the tickets in flight.
const ticketMax = 10_000

var errTickets = errors.New("too many tickets in flight")

// ticket is a login that its session has not yet taken over.
type ticket struct {
	service string
	user    string // canonical name
	client  netip.Addr
	expires time.Time
}

// tickets are the one-time tickets: 128 random bits each, good once, for a
// short time, for one service.
type tickets struct {
	now func() time.Time

	mu   sync.Mutex
	open map[string]ticket
}

func newTickets() *tickets { return &tickets{now: time.Now, open: map[string]ticket{}} }

// newSecret makes the words of a ticket.
func newSecret() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: the runtime ends the program instead
	return hex.EncodeToString(b[:])
}

// put keeps a ticket until it is redeemed.
func (t *tickets) put(secret string, one ticket) error {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) >= ticketMax {
		t.sweep(now)
	}
	if len(t.open) >= ticketMax {
		return errTickets
	}
	t.open[secret] = one
	return nil
}

// sweep forgets what nobody came for.
func (t *tickets) sweep(now time.Time) {
	for secret, one := range t.open {
		if !now.Before(one.expires) {
			delete(t.open, secret)
		}
	}
}

// redeem uses up a ticket. Shown for another service it is used up all the
// same.
func (t *tickets) redeem(secret, service string) (ticket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.open[secret]
	delete(t.open, secret)
	if !ok || one.service != service || !t.now().Before(one.expires) {
		return ticket{}, false
	}
	return one, true
}
