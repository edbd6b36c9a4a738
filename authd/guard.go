package main

import (
	"net/netip"
	"sync"
	"time"
)

// guardMax bounds each of the guard's tables. One that is full forgets what
// was not heard of for the longest time.
const guardMax = 65536

// guard makes guessing passwords slow, for all daemons together. It counts
// failed logins by client network (/32 of IPv4, /64 of IPv6) and by user, real
// or not. Who has reached the limit is refused, with the right password too,
// until the window that began with the first failure is over.
//
// A user who once logged in from a network is known there: this pair has a
// count of its own and is not touched by the other two. So nobody is locked
// out by failures of others behind the same address (webmail, a household), or
// by somebody who guesses at his name from elsewhere.
type guard struct {
	now func() time.Time

	mu      sync.Mutex
	limit   int
	window  time.Duration
	clients *bounded[netip.Prefix, count]
	users   *bounded[string, count]
	known   *bounded[acquaintance, count]
}

// count is the failures since a time.
type count struct {
	failures int
	since    time.Time
}

// acquaintance is a user at a network.
type acquaintance struct {
	client netip.Prefix
	user   string
}

func newGuard(limit int, window time.Duration) *guard {
	return &guard{now: time.Now, limit: limit, window: window,
		clients: newBounded[netip.Prefix, count](guardMax),
		users:   newBounded[string, count](guardMax),
		known:   newBounded[acquaintance, count](guardMax)}
}

// set takes new limits; what was counted stays.
func (g *guard) set(limit int, window time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit, g.window = limit, window
}

// refuses reports whether user must not try from client now.
func (g *guard) refuses(client netip.Prefix, user string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.known.get(acquaintance{client, user}); ok {
		return g.full(c)
	}
	byClient, _ := g.clients.get(client)
	byUser, _ := g.users.get(user)
	return g.full(byClient) || g.full(byUser)
}

func (g *guard) full(c count) bool {
	return c.failures >= g.limit && g.now().Sub(c.since) < g.window
}

// failed counts one failure.
func (g *guard) failed(client netip.Prefix, user string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who := acquaintance{client, user}
	if c, ok := g.known.get(who); ok {
		g.known.put(who, g.more(c))
		return
	}
	byClient, _ := g.clients.get(client)
	g.clients.put(client, g.more(byClient))
	if user == "" { // who has named nobody yet: nobody else shall pay for it
		return
	}
	byUser, _ := g.users.get(user)
	g.users.put(user, g.more(byUser))
}

// more returns c with one failure more, or the first of a new window.
func (g *guard) more(c count) count {
	now := g.now()
	if c.failures == 0 || now.Sub(c.since) >= g.window {
		return count{1, now}
	}
	return count{c.failures + 1, c.since}
}

// succeeded notes that user is known at client. Failures counted before stay:
// an own account must not clear the way to guess at others.
func (g *guard) succeeded(client netip.Prefix, user string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who := acquaintance{client, user}
	c, _ := g.known.get(who)
	g.known.put(who, c)
}

// network returns what one customer of a provider usually has: /32 or /64. All
// that log in without an address share the zero Prefix.
func network(client netip.Addr) netip.Prefix {
	client = client.Unmap().WithZone("")
	bits := 32
	if client.Is6() {
		bits = 64
	}
	p, err := client.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
