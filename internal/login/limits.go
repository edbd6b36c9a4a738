package login

import (
	"net/netip"
	"sync"
)

// limits counts connections, in total and by client.
type limits struct {
	mu      sync.Mutex
	total   int
	clients map[netip.Prefix]int
}

// newLimits returns limits with nothing counted.
func newLimits() *limits { return &limits{clients: map[netip.Prefix]int{}} }

// enter counts a connection of ip unless that would make more than total or
// more than each of one client; then it says so. A bound of 0 is none.
func (l *limits) enter(ip netip.Addr, total, each int) (refusal string) {
	key := clientKey(ip)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case total > 0 && l.total >= total:
		return "too many connections"
	case each > 0 && l.clients[key] >= each:
		return "too many connections of one client"
	}
	l.total++
	l.clients[key]++
	return ""
}

// leave takes back one enter.
func (l *limits) leave(ip netip.Addr) {
	key := clientKey(ip)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.clients[key]--; l.clients[key] == 0 {
		delete(l.clients, key)
	}
}

// clientKey is what counts as one client: an IPv4 address, or the /64 that an
// IPv6 host chooses its addresses from.
func clientKey(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // an invalid address gives the zero prefix
	return p
}
