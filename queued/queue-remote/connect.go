package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"posthorn/internal/conf"
	"posthorn/internal/handover"
	"posthorn/internal/verdict"
	"posthorn/queued/queue-remote/internal/client"
)

// errSelf marks that a host is ourselves.
var errSelf = errors.New("the host is this mail system itself")

// lookup returns the addresses of one host of the list, none when there are
// none or nobody can say, which is noted.
func (n *sending) lookup(ctx context.Context, h handover.Host) []host {
	if n.r.LMTP && strings.HasPrefix(h.Name, "/") {
		return []host{{name: h.Name, socket: true}}
	}
	port, err := strconv.ParseUint(h.Port, 10, 16)
	if err != nil {
		n.note(verdict.New(verdict.Later, "4.3.5", "the port of the host is not a number"), h.Name)
		return nil
	}
	ips, ok := literal(h.Name)
	if !ok {
		ips, _, err = n.s.resolver.LookupHost(ctx, h.Name)
	}
	var list []host
	for _, ip := range ips {
		if !ip.IsUnspecified() && !ip.IsMulticast() {
			list = append(list, host{name: h.Name, addr: netip.AddrPortFrom(ip, uint16(port))})
		}
	}
	if len(list) == 0 {
		n.noAddress(h.Name, err)
	}
	return list
}

// literal reads an address, bare or in the brackets of RFC 5321 4.1.3.
func literal(name string) ([]netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(name, "["); ok {
		name = strings.TrimPrefix(strings.TrimSuffix(inner, "]"), "IPv6:")
	}
	ip, err := netip.ParseAddr(name)
	return []netip.Addr{ip.Unmap()}, err == nil
}

// noAddress notes a host without addresses that can be used. That is the end for a name which the
// DNS gave us; one which the administrator wrote is a mistake that can be cured.
func (n *sending) noAddress(name string, err error) {
	var v verdict.Verdict
	switch {
	case err != nil:
		v = verdict.New(verdict.Later, "4.4.3", "the address of "+name+" cannot be looked up now")
	case n.written(name):
		v = verdict.New(verdict.Later, "4.4.4", name+" has no address")
	default:
		v = verdict.New(verdict.Never, "5.4.4", name+" has no address")
	}
	n.s.log.HostFailed(n.r.ID, name, v.Text, err)
	n.note(v, name)
}

// written says whether the host was written by the administrator, in a smarthost
// or the transport table, rather than found as an exchanger of the recipients'
// domain.
func (n *sending) written(name string) bool {
	return n.r.Destination != n.r.Rcpts[0].Domain || n.r.Destination == name
}

// connect has a conversation ready for MAIL: connected, greeted, encrypted and
// logged in as the request asks. Where TLS is only wished for, a handshake that
// fails costs one more connection without it.
func (n *sending) connect(ctx context.Context, h host) (*client.Conn, error) {
	c, err := n.begin(ctx, h, n.r.TLS)
	var fault *tlsFault
	if n.r.TLS == "may" && errors.As(err, &fault) && ctx.Err() == nil {
		n.s.log.HostFailed(n.r.ID, h.String(), "TLS failed, trying without", fault)
		c, err = n.begin(ctx, h, "none")
	}
	return c, err
}

// tlsFault is a handshake that failed.
type tlsFault struct{ error }

func (f *tlsFault) Unwrap() error { return f.error }

// begin makes one connection and prepares it under one policy.
func (n *sending) begin(ctx context.Context, h host, policy string) (*client.Conn, error) {
	nc, err := n.dial(ctx, h, policy)
	if err != nil {
		return nil, err
	}
	cf := n.s.conf.Load()
	c := client.New(nc, client.Options{Hostname: cf.Hostname, LMTP: n.r.LMTP, Timeout: cf.RemoteTimeout, Grace: grace})
	stop := c.Watch(ctx)
	defer stop()
	if err := n.prepare(c, h, policy, cf); err != nil {
		n.part(c)
		return nil, err
	}
	return c, nil
}

func isRefused(err error) bool {
	var r *client.Refused
	return errors.As(err, &r)
}

// dial connects, and shakes hands where TLS comes first.
func (n *sending) dial(ctx context.Context, h host, policy string) (net.Conn, error) {
	cf := n.s.conf.Load()
	d := net.Dialer{Timeout: cf.ConnectTimeout}
	network, at := "unix", h.name
	if !h.socket {
		network, at, d.LocalAddr = "tcp", h.addr.String(), bindAddr(cf, h.addr.Addr())
	}
	nc, err := d.DialContext(ctx, network, at)
	if err != nil {
		return nil, verdict.Fail(verdict.Later, "4.4.1", "cannot connect to "+h.String()+": "+reason(err), err)
	}
	if ownListener(cf, nc) {
		nc.Close()
		return nil, verdict.Fail(verdict.Never, "5.4.6", "the mail loops back to this system", errSelf)
	}
	if policy != "implicit" {
		return nc, nil
	}
	config, err := n.tlsConfig(h, true)
	if err != nil {
		nc.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cf.RemoteTimeout)
	defer cancel()
	t := tls.Client(nc, config)
	if err := t.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, untrusted(h, err)
	}
	return t, nil
}

// bindAddr is the own address for connections, when one of that family is set.
func bindAddr(cf *conf.Config, to netip.Addr) net.Addr {
	own, err := netip.ParseAddr(cf.RemoteBind)
	if err != nil || own.Is4() != to.Is4() {
		return nil
	}
	return &net.TCPAddr{IP: own.AsSlice(), Zone: own.Zone()}
}

// reason says why a connection failed, without what only a developer reads.
func reason(err error) string {
	var no syscall.Errno
	switch {
	case errors.Is(err, syscall.EACCES):
		return "permission denied; a port that is new in the configuration needs a restart of queue-remote"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return "timed out"
	case errors.Is(err, context.Canceled):
		return "the mail system is stopping"
	case errors.As(err, &no):
		return no.Error()
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "timed out"
	}
	return "no connection"
}

// ownListener says whether we have reached one of our own doors: a listener on
// that very address, or one on every address when both ends of the connection
// are this machine.
func ownListener(cf *conf.Config, nc net.Conn) bool {
	remote, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	local, lerr := netip.ParseAddrPort(nc.LocalAddr().String())
	if err != nil || lerr != nil {
		return false
	}
	to, from := remote.Addr().Unmap(), local.Addr().Unmap()
	here := to == from || to.IsLoopback()
	for _, l := range cf.Listeners("smtp", "submission", "submissions") {
		name, port, err := net.SplitHostPort(l.Addr)
		if err != nil || port != strconv.Itoa(int(remote.Port())) {
			continue
		}
		ip, err := netip.ParseAddr(name)
		if every := err != nil || ip.IsUnspecified(); every && here || !every && ip.Unmap() == to {
			return true
		}
	}
	return false
}

// prepare goes from the greeting to the point where mail can be sent.
func (n *sending) prepare(c *client.Conn, h host, policy string, cf *conf.Config) error {
	if err := c.Greet(); err != nil {
		return hostFault(h, err)
	}
	if err := c.Hello(); err != nil {
		return hostFault(h, err)
	}
	// On ports other than that of MX hosts, a host of our name may well be a
	// filter on the same machine.
	if !n.r.LMTP && strconv.Itoa(int(h.addr.Port())) == cf.RemotePort && c.Calls(cf.Hostname) {
		return verdict.Fail(verdict.Never, "5.4.6", "the mail loops back to this system", errSelf)
	}
	if err := n.encrypt(c, h, policy); err != nil {
		return err
	}
	return n.login(c, h)
}

// encrypt obeys the policy: none, may (encrypted when it can be), require
// (encrypted, the certificate checked), implicit (done already).
func (n *sending) encrypt(c *client.Conn, h host, policy string) error {
	if policy == "none" || policy == "implicit" {
		return nil
	}
	required := policy == "require"
	if _, ok := c.Ext("STARTTLS"); !ok {
		if required {
			return verdict.Fail(verdict.Later, "4.7.4", h.String()+" does not offer TLS, which is required", nil)
		}
		return nil
	}
	config, err := n.tlsConfig(h, required)
	if err != nil {
		return err
	}
	err = c.StartTLS(config)
	switch {
	case err == nil:
		return nil
	case c.Encrypted(), c.Broken() && isRefused(err), required && isRefused(err):
		return hostFault(h, err)
	case isRefused(err):
		return nil // It goes on in clear, as if TLS had not been offered.
	}
	return untrusted(h, err)
}

// login sends credentials, when there are any, where nobody else can read them.
func (n *sending) login(c *client.Conn, h host) error {
	if n.r.Login == "" {
		return nil
	}
	if !c.Encrypted() && !h.addr.Addr().IsLoopback() {
		return verdict.Fail(verdict.Later, "4.7.11", h.String()+" offers no TLS, without which there is no login", nil)
	}
	err := c.Auth(n.r.Credentials())
	switch {
	case err == nil:
		return nil
	case isRefused(err):
		return verdict.Fail(verdict.Later, "4.7.8", h.String()+" refuses the login", err)
	case c.Broken():
		return hostFault(h, err)
	}
	return verdict.Fail(verdict.Later, "4.7.0", h.String()+": "+err.Error(), err)
}

// hostFault is the verdict for everybody when a host does not get as far as
// MAIL. Whatever it says concerns us or itself and no recipient, so it is
// temporary even after a 5xx.
func hostFault(h host, err error) error {
	var refused *client.Refused
	if errors.As(err, &refused) {
		status := "4.3.2"
		if s := refused.Reply.Status; s != "" {
			status = "4" + s[1:]
		}
		return verdict.Fail(verdict.Later, status, refused.Reply.String(), err)
	}
	text := "lost the connection with "
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		text = "timed out in the conversation with "
	case errors.Is(err, client.ErrReply):
		text = "no SMTP is spoken by "
	}
	return verdict.Fail(verdict.Later, "4.4.2", text+h.String(), err)
}

// untrusted is the verdict after a handshake that failed.
func untrusted(h host, err error) error {
	text := "TLS with " + h.String() + " failed"
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		text = "the certificate of " + h.String() + " cannot be trusted"
	}
	return verdict.Fail(verdict.Later, "4.7.5", text, &tlsFault{fmt.Errorf("handshake: %w", err)})
}
