// Dnsd is a DNS server for tests and the demonstration: it answers from a table
// on one loopback address, over UDP and TCP.
//
// The table is a zone file with absolute names (RFC 1035 5.1); names of any
// domain may stand in it, and "*.example." answers for everything below. It is
// read again when the file changes. Lines that begin with "!" name a fault:
//
//	!servfail name     the question is answered by SERVFAIL
//	!refused name      likewise by REFUSED
//	!flap name         likewise by SERVFAIL, every other time
//	!silent name       it is not answered
//	!truncate name     over UDP the answer is cut short
//	!cut name          likewise, and over TCP there is none
//	!other name        the answer's records are those of another name
//	!forged name       the answer has another id than the question
//	!ad name           the answer claims to be authenticated
//
// A name that is not in the table does not exist. When it can be asked, dnsd
// writes "ready addr=127.0.0.1:5353" to standard output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/miekg/dns"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dnsd:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("dnsd", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "`address:port` to answer on")
	zone := flags.String("zone", "", "`file` with the table")
	if err := flags.Parse(args); err != nil {
		return err
	}
	t := &table{path: *zone, asked: map[string]int{}}
	if err := t.load(); err != nil {
		return err
	}
	l, pc, err := listen(*addr)
	if err != nil {
		return err
	}
	servers := []*dns.Server{
		{Listener: l, Handler: handler{t, true}},
		{PacketConn: pc, Handler: handler{t, false}},
	}
	ended := make(chan error, len(servers))
	for _, s := range servers {
		go func() { ended <- s.ActivateAndServe() }()
	}
	fmt.Fprintf(out, "ready addr=%s\n", l.Addr())
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	l.Close()
	pc.Close()
	return err
}

// listen takes the same port for both transports. With port 0 the one that the
// kernel gives for TCP may be in use for UDP, so a few are tried.
func listen(addr string) (net.Listener, net.PacketConn, error) {
	var all error
	for range 20 {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		pc, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return l, pc, nil
		}
		l.Close()
		all = errors.Join(all, err)
	}
	return nil, nil, all
}

// handler answers over one transport.
type handler struct {
	t   *table
	tcp bool
}

// ServeDNS answers one question.
func (h handler) ServeDNS(w dns.ResponseWriter, m *dns.Msg) {
	r := h.t.answer(m, h.tcp)
	switch {
	case r == nil && h.tcp:
		w.Close()
	case r != nil:
		if err := w.WriteMsg(r); err != nil {
			fmt.Fprintln(os.Stderr, "dnsd:", err)
		}
	}
}
