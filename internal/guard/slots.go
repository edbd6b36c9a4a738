package guard

import (
	"net"
	"net/netip"
	"sync"
)

// slots counts connections, in all and by client.
type slots struct {
	mu      sync.Mutex
	total   int
	clients map[slot]int
}

func newSlots() *slots { return &slots{clients: map[slot]int{}} }

// enter counts a connection of p and returns "", or else the limit that speaks
// against it. A limit of 0 is none.
func (s *slots) enter(p Peer, total, each int) (reason string) {
	key := slotOf(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case total > 0 && s.total >= total:
		return "too many connections"
	case each > 0 && s.clients[key] >= each:
		return "too many connections from your address"
	}
	s.total++
	s.clients[key]++
	return ""
}

// leave takes an enter back.
func (s *slots) leave(p Peer) {
	key := slotOf(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.clients[key]--; s.clients[key] <= 0 {
		delete(s.clients, key)
	}
}

// slot is what counts as one client.
type slot struct {
	net netip.Prefix
	uid int
}

// slotOf: an IPv6 host can take any address of its /64.
func slotOf(p Peer) slot {
	bits := 32
	if p.Addr.Is6() {
		bits = 64
	}
	net, _ := p.Addr.Prefix(bits) // the zero Addr gives the zero Prefix, a client like others
	return slot{net, p.UID}
}

// addrOf returns the IP address of a TCP address.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
