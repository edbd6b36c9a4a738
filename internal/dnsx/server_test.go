package dnsx

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// testServer answers on one loopback port over UDP and TCP and counts what it
// was asked.
type testServer struct {
	addr string

	mu   sync.Mutex
	udp  int
	tcp  int
	last *dns.Msg
}

type responder func(m *dns.Msg, tcp bool) *dns.Msg

func serve(t *testing.T, answer responder) *testServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{addr: l.Addr().String()}
	for _, srv := range []*dns.Server{{Listener: l}, {PacketConn: pc}} {
		tcp := srv.Listener != nil
		srv.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
			s.count(m, tcp)
			if r := answer(m, tcp); r != nil {
				w.WriteMsg(r)
			}
		})
		ready := make(chan struct{})
		srv.NotifyStartedFunc = func() { close(ready) }
		go srv.ActivateAndServe()
		<-ready
		t.Cleanup(func() { srv.Shutdown() })
	}
	return s
}

func (s *testServer) count(m *dns.Msg, tcp bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = m.Copy()
	if tcp {
		s.tcp++
	} else {
		s.udp++
	}
}

func (s *testServer) counts() (udp, tcp int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.udp, s.tcp
}

func (s *testServer) question() *dns.Msg {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// zone answers from lines in zone-file form; a name without lines is NXDOMAIN.
func zone(lines ...string) responder {
	var rrs []dns.RR
	for _, l := range lines {
		rr, err := dns.NewRR(l)
		if err != nil {
			panic(err)
		}
		rrs = append(rrs, rr)
	}
	return func(m *dns.Msg, _ bool) *dns.Msg {
		r := new(dns.Msg).SetReply(m)
		r.RecursionAvailable = true
		known := false
		for _, rr := range rrs {
			h := rr.Header()
			if !dns.IsSubDomain(m.Question[0].Name, h.Name) || h.Name != dns.CanonicalName(m.Question[0].Name) {
				continue
			}
			known = true
			if h.Rrtype == m.Question[0].Qtype || h.Rrtype == dns.TypeCNAME {
				r.Answer = append(r.Answer, rr)
			}
		}
		if !known {
			r.Rcode = dns.RcodeNameError
		}
		if len(r.Answer) == 0 {
			s, _ := dns.NewRR("example. 300 IN SOA ns.example. root.example. 1 2 3 4 60")
			r.Ns = []dns.RR{s}
		}
		return r
	}
}

func rcode(code int) responder {
	return func(m *dns.Msg, _ bool) *dns.Msg { return new(dns.Msg).SetRcode(m, code) }
}

func resolver(t *testing.T, servers ...*testServer) *Resolver {
	t.Helper()
	var o Options
	for _, s := range servers {
		o.Servers = append(o.Servers, s.addr)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.settings.Load().timeout = 5 * time.Second
	return r
}

// impatient gives up soon: for servers that never answer.
func impatient(r *Resolver) *Resolver {
	s := *r.settings.Load()
	s.timeout, s.attempts = 50*time.Millisecond, 1
	r.settings.Store(&s)
	return r
}
