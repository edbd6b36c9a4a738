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
	clients map[netip.Prefix]int
}

func newSlots() *slots { return &slots{clients: map[netip.Prefix]int{}} }

// enter counts a connection of ip and returns "", or else the limit that speaks
// against it. A limit of 0 is none.
func (s *slots) enter(ip netip.Addr, total, each int) (reason string) {
	key := clientKey(ip)
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
func (s *slots) leave(ip netip.Addr) {
	key := clientKey(ip)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.clients[key]--; s.clients[key] <= 0 {
		delete(s.clients, key)
	}
}

// clientKey is what counts as one client: an IPv6 host can take any address of
// its /64.
func clientKey(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // the zero Addr gives the zero Prefix, a client like others
	return p
}

// addrOf returns the IP address of a TCP address.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
