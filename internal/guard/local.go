package guard

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"posthorn/internal/addr"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// Local is what a service has that processes of this host reach by a Unix
// socket: its clients are known by their uids, and may leave out the domain of
// an address.
type Local struct {
	// Admit returns why no process of uid may come in, or "".
	Admit func(uid int) (reason string)
	// Origin is the domain of addresses that have none. EHLO tells it, as XORIGIN.
	Origin func() string
	// Verify says in a line where mail for an address goes (VRFY), or why it
	// cannot go there.
	Verify func(ctx context.Context, to addr.Address) (string, error)
}

// Peer is who is at the other end of a connection.
type Peer struct {
	Addr netip.Addr // the zero Addr for a process of this host
	UID  int        // of a process of this host; -1 for clients with an address
}

// String is the address, or uid:1000.
func (p Peer) String() string {
	if p.UID >= 0 {
		return "uid:" + strconv.Itoa(p.UID)
	}
	return p.Addr.String()
}

// peerOf tells who has connected, and why he may not, or "".
func (g *Guard) peerOf(raw net.Conn) (p Peer, reason string) {
	p = Peer{Addr: addrOf(raw.RemoteAddr()), UID: -1}
	if _, path := raw.RemoteAddr().(*net.UnixAddr); !path && g.o.Local == nil {
		return p, ""
	}
	sc, ok := raw.(syscall.Conn)
	if !ok {
		return p, "you are not known"
	}
	who, err := sock.PeerOf(sc)
	if err != nil {
		return p, "you are not known"
	}
	if p.UID = who.UID; g.o.Local == nil {
		return p, ""
	}
	return p, g.o.Local.Admit(p.UID)
}

// parsePath reads a path of MAIL or RCPT. RFC 5321 wants a domain in it; mail
// that a process of this host sends may be for plain `root`.
func (c *Conn) parsePath(s string) (addr.Address, string, error) {
	s = strings.TrimLeft(s, " ")
	if c.g.o.Local == nil {
		return addr.ParsePath(s)
	}
	return addr.ParsePathAt(s, c.g.o.Local.Origin())
}

// verify answers VRFY to processes of this host; others learn nothing by it.
func (c *Conn) verify(arg string) {
	if !strings.HasPrefix(arg, "<") {
		arg = "<" + arg + ">"
	}
	a, rest, err := c.parsePath(arg)
	switch {
	case err != nil || a.IsNull() || rest != "" && rest != " SMTPUTF8": // RFC 6531 3.7.4.2
		c.answer(501, "5.1.3", "expected an address")
		return
	case c.busy():
		c.bye("4.7.0", "too many commands")
		return
	}
	text, err := c.g.o.Local.Verify(c.ctx, a)
	if err != nil {
		v := verdict.Of(err)
		c.answer(replyCode(v), v.Status, printable(v.Text))
		return
	}
	c.answer(250, "2.1.5", printable(text))
}
