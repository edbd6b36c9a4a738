package main

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"
)

const (
	// exchangesMax bounds the exchanges that wait for a client; the one that waited
	// longest goes first.
	exchangesMax = 4096
	// exchangeLife is how long a client may think about a challenge.
	exchangeLife = 2 * time.Minute
)

// exchange is one client on its way through a SASL mechanism.
type exchange struct {
	owner   int // uid of the daemon that began it
	attempt *attempt
	then    step // takes the next response
	until   time.Time
}

// exchanges are those that wait for a response. It is safe for concurrent use.
type exchanges struct {
	now func() time.Time

	mu   sync.Mutex
	open *bounded[string, *exchange]
}

func newExchanges() *exchanges {
	return &exchanges{now: time.Now, open: newBounded[string, *exchange](exchangesMax)}
}

// put keeps x for its client's next response and returns the name by which take
// finds it, once.
func (e *exchanges) put(x *exchange) (name string) {
	var b [16]byte
	rand.Read(b[:]) // never fails: the runtime ends the program instead
	name = hex.EncodeToString(b[:])
	e.mu.Lock()
	defer e.mu.Unlock()
	x.until = e.now().Add(exchangeLife)
	e.open.put(name, x)
	return name
}

// take returns the exchange of a name, which nobody finds again. It is there for
// the daemon that began it only.
func (e *exchanges) take(name string, owner int) (*exchange, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x, ok := e.open.get(name)
	e.open.remove(name)
	if !ok || x.owner != owner || !e.now().Before(x.until) {
		return nil, false
	}
	return x, true
}
