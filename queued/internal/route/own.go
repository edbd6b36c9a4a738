package route

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// splitPort returns the port of host:port.
func splitPort(addr string) (string, error) {
	_, port, err := net.SplitHostPort(addr)
	return port, err
}

// Interfaces lists the addresses of this host's interfaces, and asks the
// kernel at most once a minute. The zero value works; it is safe for
// concurrent use.
type Interfaces struct {
	mu    sync.Mutex
	asked time.Time
	addrs []netip.Addr
}

// Addrs returns the addresses. When the kernel does not say, those it said
// before.
func (i *Interfaces) Addrs() []netip.Addr {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Since(i.asked) < time.Minute {
		return i.addrs
	}
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return i.addrs
	}
	addrs := make([]netip.Addr, 0, len(nets))
	for _, n := range nets {
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			addrs = append(addrs, p.Addr().Unmap())
		}
	}
	i.addrs, i.asked = addrs, time.Now()
	return addrs
}
