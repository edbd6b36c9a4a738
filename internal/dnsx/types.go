package dnsx

import (
	"context"
	"net/netip"
	"sort"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Status says how a look-up ended.
type Status int

// The outcomes of a look-up.
const (
	Found     Status = iota + 1 // at least one record of the type
	NoData                      // the name exists and has no record of the type
	NXDomain                    // the name does not exist, or could not exist
	Temporary                   // no server could say; the error tells why
)

// String returns the word used in logs.
func (s Status) String() string {
	switch s {
	case Found:
		return "found"
	case NoData:
		return "nodata"
	case NXDomain:
		return "nxdomain"
	case Temporary:
		return "temporary"
	}
	return "unknown"
}

// Meta is what is known about an answer besides its records.
type Meta struct {
	Status Status
	// TTL is how long the answer may be kept; 0 when that is not known.
	TTL time.Duration
	// Authentic: a resolver that we trust to say so has validated every step
	// of the answer with DNSSEC (RFC 6840 5.7, 5.8).
	Authentic bool
	// Name is the name at the end of the CNAME chain, lower case, without a
	// final dot.
	Name string
}

// MX is a mail exchanger. Host is lower case and has no final dot; "." alone
// is the null MX of RFC 7505.
type MX struct {
	Host string
	Pref uint16
}

// TLSA is the certificate association of RFC 6698 2.1, as it came.
type TLSA struct {
	Usage, Selector, Matching uint8
	Data                      []byte
}

// Limits on what one look-up returns. What comes after is left away.
const (
	maxMX    = 64
	maxAddrs = 64
	maxTXT   = 64
	maxTLSA  = 64
	maxPTR   = 16
)

// LookupMX returns the mail exchangers of a domain, best preference first, in
// the order of the answer where preferences are equal. The error is non-nil
// exactly when Meta.Status is Temporary.
func (r *Resolver) LookupMX(ctx context.Context, domain string) ([]MX, Meta, error) {
	rrs, meta, err := r.lookup(ctx, domain, dns.TypeMX)
	var list []MX
	for _, rr := range rrs {
		if mx, ok := rr.(*dns.MX); ok {
			list = append(list, MX{Host: plain(mx.Mx), Pref: mx.Preference})
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Pref < list[j].Pref })
	return list[:min(len(list), maxMX)], meta, err
}

// LookupHost returns the addresses of a host: IPv4 first, then IPv6. When only
// one of the two questions could be answered, its addresses are the answer; when
// that one has none, the look-up is Temporary, for the other may have some.
func (r *Resolver) LookupHost(ctx context.Context, host string) ([]netip.Addr, Meta, error) {
	if isLocalhost(host) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()},
			Meta{Status: Found, Authentic: true, Name: "localhost"}, nil
	}
	six := make(chan hostAnswer, 1)
	go func() { six <- r.lookupAddrs(ctx, host, dns.TypeAAAA) }()
	four := r.lookupAddrs(ctx, host, dns.TypeA)
	return joinAddrs(four, <-six)
}

// LookupTXT returns the TXT records of a name, the strings of each joined
// (RFC 7208 3.3).
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, Meta, error) {
	rrs, meta, err := r.lookup(ctx, name, dns.TypeTXT)
	var list []string
	for _, rr := range rrs {
		if txt, ok := rr.(*dns.TXT); ok && len(list) < maxTXT {
			list = append(list, joinTXT(txt.Txt))
		}
	}
	return list, meta, err
}

// LookupTLSA returns the TLSA records of a name such as
// "_25._tcp.mx.example.org". They mean something only when Meta.Authentic.
func (r *Resolver) LookupTLSA(ctx context.Context, name string) ([]TLSA, Meta, error) {
	rrs, meta, err := r.lookup(ctx, name, dns.TypeTLSA)
	var list []TLSA
	for _, rr := range rrs {
		if t, ok := tlsa(rr); ok && len(list) < maxTLSA {
			list = append(list, t)
		}
	}
	return list, meta, err
}

// LookupPTR returns the names of an address, lower case, without a final dot.
func (r *Resolver) LookupPTR(ctx context.Context, ip netip.Addr) ([]string, Meta, error) {
	arpa, err := dns.ReverseAddr(ip.Unmap().WithZone("").String())
	if err != nil {
		return nil, Meta{Status: NXDomain}, nil
	}
	rrs, meta, err := r.lookup(ctx, arpa, dns.TypePTR)
	var list []string
	for _, rr := range rrs {
		if ptr, ok := rr.(*dns.PTR); ok && len(list) < maxPTR {
			list = append(list, plain(ptr.Ptr))
		}
	}
	return list, meta, err
}

type hostAnswer struct {
	addrs []netip.Addr
	meta  Meta
	err   error
}

func (r *Resolver) lookupAddrs(ctx context.Context, host string, qtype uint16) hostAnswer {
	rrs, meta, err := r.lookup(ctx, host, qtype)
	h := hostAnswer{meta: meta, err: err}
	for _, rr := range rrs {
		if ip, ok := address(rr); ok && len(h.addrs) < maxAddrs {
			h.addrs = append(h.addrs, ip)
		}
	}
	return h
}

func joinAddrs(four, six hostAnswer) ([]netip.Addr, Meta, error) {
	meta := four.meta
	switch {
	case four.meta.Status == Found && six.meta.Status == Found:
		meta.TTL = min(four.meta.TTL, six.meta.TTL)
		meta.Authentic = four.meta.Authentic && six.meta.Authentic
		return append(four.addrs, six.addrs...), meta, nil
	case four.meta.Status == Found:
		return four.addrs, four.meta, nil
	case six.meta.Status == Found:
		return six.addrs, six.meta, nil
	case four.err != nil:
		return nil, four.meta, four.err
	case six.err != nil:
		return nil, six.meta, six.err
	case six.meta.Status == NoData:
		return nil, six.meta, nil
	}
	return nil, four.meta, nil
}

func address(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		ip, ok := netip.AddrFromSlice(rr.A)
		return ip.Unmap(), ok
	case *dns.AAAA:
		ip, ok := netip.AddrFromSlice(rr.AAAA)
		return ip, ok
	}
	return netip.Addr{}, false
}

func isLocalhost(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
