package dnsx

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// udpSize is what we announce in EDNS0: it passes everywhere without fragments
// (DNS flag day 2020). The buffer is larger, for some servers do not care.
const (
	udpSize   = 1232
	udpBuffer = 4096
)

// maxJunk is how many datagrams that are no reply to our question are waited
// out; more look like an attempt to guess the id, which TCP defeats.
const maxJunk = 16

var (
	errMismatch = errors.New("the reply is not to our question")
	errJunk     = errors.New("too many false replies")
	errOther    = errors.New("the records are those of another name")
	errCut      = errors.New("the reply is cut short over TCP too")
)

// exchange puts q to one server: by UDP, by TCP when the reply is cut short, and
// without EDNS0 when the server does not know it (RFC 6891 7). Each of these has
// the timeout for itself. The reply is to our question and usable.
func exchange(ctx context.Context, server string, q question, timeout time.Duration) (*dns.Msg, error) {
	m, err := attempt(ctx, server, query(q, true), timeout)
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeBadVers) {
		m, err = attempt(ctx, server, query(q, false), timeout)
	}
	if err == nil {
		err = usable(m)
	}
	if err == nil && !answers(m, q) {
		err = errOther
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", server, err)
	}
	return m, nil
}

// query makes the question. The AD bit asks for the AD bit (RFC 6840 5.7).
func query(q question, edns bool) *dns.Msg {
	m := &dns.Msg{}
	m.Id = dns.Id()
	m.RecursionDesired = true
	m.AuthenticatedData = true
	m.Question = []dns.Question{{Name: q.name, Qtype: q.qtype, Qclass: dns.ClassINET}}
	if edns {
		m.SetEdns0(udpSize, false)
	}
	return m
}

func attempt(ctx context.Context, server string, out *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	wire, err := out.Pack()
	if err != nil {
		return nil, err
	}
	in, err := overUDP(ctx, server, out, wire, timeout)
	if errors.Is(err, errJunk) || (err == nil && in.Truncated) {
		return overTCP(ctx, server, out, wire, timeout)
	}
	return in, err
}

// dial connects and sets the one deadline of the exchange. A connected UDP
// socket takes datagrams from the server's address and port only, and has a
// random port of its own.
func dial(ctx context.Context, network, server string, timeout time.Duration) (net.Conn, error) {
	deadline := time.Now().Add(timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	c, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(deadline)
}

func overUDP(ctx context.Context, server string, out *dns.Msg, wire []byte, timeout time.Duration) (*dns.Msg, error) {
	c, err := dial(ctx, "udp", server, timeout)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write(wire); err != nil {
		return nil, err
	}
	buf := make([]byte, udpBuffer)
	for range maxJunk {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		in, err := parse(buf[:n], out)
		if !errors.Is(err, errMismatch) {
			return in, err
		}
	}
	return nil, errJunk
}

func overTCP(ctx context.Context, server string, out *dns.Msg, wire []byte, timeout time.Duration) (*dns.Msg, error) {
	c, err := dial(ctx, "tcp", server, timeout)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	// Length and message leave in one segment (RFC 7766 8).
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, buf); err != nil {
		return nil, err
	}
	in, err := parse(buf, out)
	if err == nil && in.Truncated {
		return nil, errCut
	}
	return in, err
}

// parse reads a reply to out. errMismatch means that it is something else; a
// reply to out that cannot be read is another error, unless it is cut short
// anyhow.
func parse(wire []byte, out *dns.Msg) (*dns.Msg, error) {
	if len(wire) < 12 || binary.BigEndian.Uint16(wire) != out.Id {
		return nil, errMismatch
	}
	in := &dns.Msg{}
	if err := in.Unpack(wire); err != nil && !in.Truncated {
		return nil, fmt.Errorf("unreadable reply: %w", err)
	}
	if !in.Response || in.Opcode != dns.OpcodeQuery || !sameQuestion(in, out.Question[0]) {
		return nil, errMismatch
	}
	return in, nil
}

// sameQuestion lets a reply without a question pass when it only reports a
// failure or is cut short, for some servers answer with the header alone.
func sameQuestion(in *dns.Msg, want dns.Question) bool {
	if len(in.Question) == 0 {
		return in.Truncated || in.Rcode != dns.RcodeSuccess && in.Rcode != dns.RcodeNameError
	}
	got := in.Question[0]
	return len(in.Question) == 1 && got.Qtype == want.Qtype && got.Qclass == want.Qclass &&
		strings.EqualFold(got.Name, want.Name)
}
