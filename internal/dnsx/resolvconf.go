package dnsx

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// Limits of resolv.conf(5), as the C library has them.
const (
	maxNameservers = 3
	maxTimeout     = 30 // seconds
	maxAttempts    = 5
	maxConfSize    = 64 << 10
)

// maxServers bounds a list given in the configuration.
const maxServers = 16

// server is one recursive resolver.
type server struct {
	addr  string // host:port
	trust bool   // its AD bit is believed
}

// settings is what a resolv.conf or the configuration says; never changed once made.
type settings struct {
	servers  []server
	timeout  time.Duration
	attempts int
	rotate   bool
}

func defaults() *settings {
	return &settings{timeout: 5 * time.Second, attempts: 2}
}

// fromList takes servers named in the configuration, each "address:port".
func fromList(list []string) (*settings, error) {
	if len(list) > maxServers {
		return nil, fmt.Errorf("%d resolvers, at most %d are used", len(list), maxServers)
	}
	s := defaults()
	for _, a := range list {
		ap, err := netip.ParseAddrPort(a)
		if err != nil {
			return nil, fmt.Errorf("resolver %q: expected address:port", a)
		}
		s.add(ap.Addr(), strconv.Itoa(int(ap.Port())))
	}
	return s, nil
}

// add appends a server. Its AD bit is believed when the path to it cannot be
// tampered with: the loopback (RFC 6840 5.7 leaves this to the stub).
func (s *settings) add(ip netip.Addr, port string) {
	s.servers = append(s.servers, server{
		addr:  net.JoinHostPort(ip.String(), port),
		trust: ip.Unmap().IsLoopback(),
	})
}

// fromFile reads a resolv.conf. As the C library does, it ignores lines that it
// does not know, and asks this host when the file names no server or is absent.
func fromFile(path string) (*settings, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return parseConf(strings.NewReader(""))
	}
	if err != nil {
		return nil, fmt.Errorf("reading resolvers: %w", err)
	}
	defer f.Close()
	return parseConf(f)
}

func parseConf(r io.Reader) (*settings, error) {
	s := defaults()
	trustAD := false
	sc := bufio.NewScanner(io.LimitReader(r, maxConfSize))
	for sc.Scan() {
		line := sc.Text()
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		f := strings.Fields(line)
		switch {
		case len(f) < 2:
		case f[0] == "nameserver" && len(s.servers) < maxNameservers:
			if ip, err := netip.ParseAddr(f[1]); err == nil {
				s.add(ip, "53")
			}
		case f[0] == "options":
			trustAD = s.options(f[1:]) || trustAD
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("reading resolvers: %w", err)
	}
	if len(s.servers) == 0 {
		s.add(netip.AddrFrom4([4]byte{127, 0, 0, 1}), "53")
	}
	for i := range s.servers {
		s.servers[i].trust = s.servers[i].trust || trustAD
	}
	return s, nil
}

// options obeys what is of use here; edns0 is always on. It says whether
// trust-ad was among them.
func (s *settings) options(words []string) (trustAD bool) {
	for _, w := range words {
		name, value, _ := strings.Cut(w, ":")
		n, err := strconv.Atoi(value)
		switch {
		case name == "rotate":
			s.rotate = true
		case name == "trust-ad":
			trustAD = true
		case name == "timeout" && err == nil && n > 0:
			s.timeout = time.Duration(min(n, maxTimeout)) * time.Second
		case name == "attempts" && err == nil && n > 0:
			s.attempts = min(n, maxAttempts)
		}
	}
	return trustAD
}
