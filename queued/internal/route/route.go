// Package route says where mail for other hosts goes: by the transport table,
// by the sender's smarthost, or by the MX of the recipient's domain.
//
// A Route is chosen from tables alone and is what recipients are grouped and
// counted by; the hosts behind it are looked up for each attempt (Hosts).
package route

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/dnsx"
	"posthorn/internal/handover"
	"posthorn/internal/tables"
	"posthorn/internal/verdict"
)

// Resolver is what a router asks of the DNS.
type Resolver interface {
	LookupMX(ctx context.Context, domain string) ([]dnsx.MX, dnsx.Meta, error)
	LookupHost(ctx context.Context, host string) ([]netip.Addr, dnsx.Meta, error)
}

// Route is one way to leave. It is comparable: recipients of equal routes
// share attempts.
type Route struct {
	Name   string // the destination, as logs and the queue call it
	Domain string // whose MX hosts take the mail, or "" when Host does
	Host   string // a name or an IP address
	Port   string
	TLS    string // may, require, none or implicit
	Login  string // user:password, or ""
	CAFile string
	LMTP   bool            // RFC 2033; Host may be the path of a Unix socket then
	Chosen bool            // the administrator wrote Domain; it is not the recipient's
	Refuse verdict.Verdict // instead of a way, when its Kind is set
}

// Router chooses routes. It is safe for concurrent use; a reload makes a new
// one.
type Router struct {
	Resolver Resolver
	// Transport returns the newest version of the table.
	Transport func() *tables.Transport
	// Own returns the addresses of this host's interfaces.
	Own func() []netip.Addr

	hostname   string
	port       string
	tls        string
	listen     []string // ports on which we take mail from other hosts
	smarthosts map[string]Route
}

// New returns a router for a configuration, and reads the smarthosts' secrets.
func New(c *conf.Config, r Resolver, transport func() *tables.Transport, own func() []netip.Addr) (*Router, error) {
	router := &Router{
		Resolver: r, Transport: transport, Own: own,
		hostname: c.Hostname, port: c.RemotePort, tls: c.RemoteTLS, smarthosts: map[string]Route{},
	}
	for _, l := range c.Listeners("smtp") {
		if ap, err := splitPort(l.Addr); err == nil {
			router.listen = append(router.listen, ap)
		}
	}
	for _, s := range c.Smarthosts {
		route, err := smarthost(s)
		if err != nil {
			return nil, err
		}
		router.smarthosts[s.Sender] = route
	}
	return router, nil
}

func smarthost(s conf.Smarthost) (Route, error) {
	r := Route{Name: s.Host + ":" + s.Port, Host: s.Host, Port: s.Port, TLS: s.TLS, CAFile: s.CAFile}
	if s.MX {
		r.Host, r.Domain, r.Chosen = "", s.Host, true
	}
	if s.Login == "" {
		return r, nil
	}
	var err error
	if r.Login, err = conf.Secret(s.Login); err != nil {
		return Route{}, fmt.Errorf("%s: %w", s.Pos, err)
	}
	return r, nil
}

// Choose returns the route of one recipient: the transport table's, else the
// sender's smarthost, else the MX of the recipient's domain.
func (r *Router) Choose(from, rcpt addr.Address) Route {
	if t, ok := r.Transport().Lookup(rcpt); ok {
		return r.byTransport(t, rcpt)
	}
	for _, sender := range []string{from.Key(), "@" + from.Domain, "default"} {
		if s, ok := r.smarthosts[sender]; ok {
			return s
		}
	}
	return r.byDomain(rcpt.Domain)
}

func (r *Router) byTransport(t tables.Route, rcpt addr.Address) Route {
	if t.Refuse != nil {
		return Route{Name: rcpt.Domain, Refuse: *t.Refuse}
	}
	var route Route
	switch {
	case t.LMTP:
		return byLMTP(t)
	case t.Host == "":
		route = r.byDomain(rcpt.Domain)
	case t.Bracketed:
		route = Route{Name: t.Host, Host: t.Host, Port: r.port, TLS: r.tls}
	default:
		route = r.byDomain(t.Host)
		route.Chosen = route.Domain != ""
	}
	if t.Port != "" {
		route.Port = t.Port
		route.Name += ":" + t.Port
	}
	return route
}

// byLMTP is the route to a host that the administrator trusts with mail for
// boxes: its TLS is wished for, whatever hosts of other domains have to show.
func byLMTP(t tables.Route) Route {
	if t.Socket != "" {
		return Route{Name: "lmtp:unix:" + t.Socket, Host: t.Socket, TLS: "none", LMTP: true}
	}
	return Route{Name: "lmtp:" + net.JoinHostPort(t.Host, t.Port), Host: t.Host, Port: t.Port, TLS: "may", LMTP: true}
}

// byDomain is the route to the MX hosts of a domain; an address literal names
// its only host (RFC 5321 4.1.3).
func (r *Router) byDomain(domain string) Route {
	route := Route{Name: domain, Domain: domain, Port: r.port, TLS: r.tls}
	if ip, ok := (addr.Address{Local: "x", Domain: domain}).IP(); ok {
		route.Domain, route.Host = "", ip.String()
	}
	return route
}

// Verdicts of look-ups; RFC 7505 4 names 5.1.10, RFC 3463 the others.
var (
	nullMX   = verdict.New(verdict.Never, "5.1.10", "the domain takes no mail (null MX)")
	noDomain = verdict.New(verdict.Never, "5.1.2", "the domain does not exist")
	noHost   = verdict.New(verdict.Never, "5.1.2", "the domain has no mail host")
	loop     = verdict.New(verdict.Never, "5.4.6", "the domain's mail hosts point back to this host, which does not take its mail")
	noDNS    = verdict.New(verdict.Later, "4.4.3", "the domain's mail hosts could not be looked up")
)

// Bounds of one attempt's look-ups: a domain with many exchangers and a slow
// name server holds a place that others could have.
const (
	maxExchangers = 20 // queue-remote tries no more addresses either
	lookUpTime    = time.Minute
)

// Hosts looks up the hosts of a route, in the order in which they are tried. A
// failure is a *verdict.Error.
func (r *Router) Hosts(ctx context.Context, route Route) ([]handover.Host, error) {
	if route.Refuse.Kind != 0 {
		return nil, route.Refuse.Err()
	}
	if route.Domain == "" {
		return []handover.Host{{Name: route.Host, Port: route.Port}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTime)
	defer cancel()
	names, err := r.exchangers(ctx, route)
	if err != nil {
		return nil, route.curable(err)
	}
	hosts := make([]handover.Host, 0, len(names))
	for _, name := range names {
		hosts = append(hosts, handover.Host{Name: name, Port: route.Port})
	}
	return hosts, nil
}

// curable makes the end for a domain that the administrator wrote temporary: a
// slip there, or in that host's zone, must not return the mail of everybody.
func (r Route) curable(err error) error {
	v := verdict.Of(err)
	if !r.Chosen || v.Kind != verdict.Never {
		return err
	}
	return verdict.New(verdict.Later, "4.4.4", r.Name+": "+v.Text).Err() // RFC 3463 3.5
}

// exchangers returns the names of the MX hosts, or the domain itself when it
// has none (RFC 5321 5.1).
func (r *Router) exchangers(ctx context.Context, route Route) ([]string, error) {
	list, meta, err := r.Resolver.LookupMX(ctx, route.Domain)
	switch meta.Status {
	case dnsx.Found:
		return r.usable(ctx, route, list)
	case dnsx.NoData:
		return r.implicit(ctx, route)
	case dnsx.NXDomain:
		return nil, noDomain.Err()
	}
	return nil, &verdict.Error{Verdict: noDNS, Err: err}
}

// implicit is the domain as its own mail host.
func (r *Router) implicit(ctx context.Context, route Route) ([]string, error) {
	addrs, meta, err := r.Resolver.LookupHost(ctx, route.Domain)
	switch meta.Status {
	case dnsx.Found:
		if route.Domain == r.hostname || r.ours(addrs, route.Port) {
			return nil, loop.Err()
		}
		return []string{route.Domain}, nil
	case dnsx.NoData, dnsx.NXDomain:
		return nil, noHost.Err()
	}
	return nil, &verdict.Error{Verdict: noDNS, Err: err}
}

// usable puts the exchangers in order: best preference first, those of one
// preference shuffled (RFC 5321 5.1). Where one of them is this host, it and
// all that are no better are left out, for they would send the mail here.
func (r *Router) usable(ctx context.Context, route Route, list []dnsx.MX) ([]string, error) {
	if len(list) == 1 && list[0].Host == "." {
		return nil, nullMX.Err() // RFC 7505 3
	}
	list = slices.DeleteFunc(slices.Clone(list), func(mx dnsx.MX) bool { return mx.Host == "." || mx.Host == "" })
	if len(list) == 0 {
		return nil, noHost.Err()
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b dnsx.MX) int { return int(a.Pref) - int(b.Pref) })
	list = list[:min(len(list), maxExchangers)]
	limit := r.ownPreference(ctx, route, list)
	var names []string
	for _, mx := range list {
		if int(mx.Pref) < limit {
			names = append(names, mx.Host)
		}
	}
	if len(names) == 0 {
		return nil, loop.Err()
	}
	return names, nil
}

// ownPreference returns the preference of the first exchanger that is this
// host, or one beyond all.
func (r *Router) ownPreference(ctx context.Context, route Route, list []dnsx.MX) int {
	for _, mx := range list {
		if mx.Host == r.hostname {
			return int(mx.Pref)
		}
		// A host that cannot be looked up is found out when it is tried.
		addrs, _, err := r.Resolver.LookupHost(ctx, mx.Host)
		if err == nil && r.ours(addrs, route.Port) {
			return int(mx.Pref)
		}
	}
	return 1 << 16
}

// ours reports whether one of addrs with port is where we take mail.
func (r *Router) ours(addrs []netip.Addr, port string) bool {
	if !slices.Contains(r.listen, port) {
		return false
	}
	own := r.Own()
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return slices.Contains(own, a.Unmap()) })
}
