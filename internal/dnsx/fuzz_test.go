package dnsx

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// FuzzAnswer feeds replies of a hostile server through all that reads them.
func FuzzAnswer(f *testing.F) {
	types := []uint16{dns.TypeMX, dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeTLSA, dns.TypePTR}
	answer := zone(
		`example.org. 300 IN MX 10 mx.example.org.`, `example.org. 300 IN A 192.0.2.1`,
		`example.org. 300 IN TXT "a\000" "b"`, `example.org. 300 IN TLSA 3 1 1 00ff`,
	)
	for i, qtype := range types {
		out := query(question{"example.org.", qtype}, true)
		out.Id = 1
		wire, err := answer(out, false).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), wire)
	}
	f.Fuzz(func(t *testing.T, n byte, wire []byte) {
		q := question{"example.org.", types[int(n)%len(types)]}
		out := query(q, true)
		out.Id = 1
		in, err := parse(wire, out)
		if err != nil || usable(in) != nil {
			return
		}
		a, err := read(in, q, maxSteps)
		if err != nil {
			return
		}
		if a.ttl < 0 || a.steps > maxSteps || (a.status == Found) != (len(a.rrs) > 0) {
			t.Errorf("got %+v, which contradicts itself", a)
		}
		for _, rr := range a.rrs {
			check(t, rr)
		}
	})
}

func check(t *testing.T, rr dns.RR) {
	switch rr := rr.(type) {
	case *dns.TXT:
		joinTXT(rr.Txt)
	case *dns.MX:
		if plain(rr.Mx) == "" {
			t.Error("an exchanger without a name")
		}
	case *dns.TLSA:
		if _, ok := tlsa(rr); !ok {
			t.Errorf("TLSA data that is no hex: %v", rr)
		}
	case *dns.A, *dns.AAAA:
		if _, ok := address(rr); !ok {
			t.Errorf("a record without an address: %v", rr)
		}
	}
}

// FuzzResolvConf: whatever the file says, there is a server to ask, and an end to
// asking.
func FuzzResolvConf(f *testing.F) {
	f.Add("nameserver 192.0.2.1\nnameserver ::1\noptions timeout:9 attempts:9 rotate trust-ad\n")
	f.Add("nameserver fe80::1%eth0\n; x\n#\noptions timeout:-1 attempts:99999999999999999999 timeout\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseConf(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(s.servers) == 0 || len(s.servers) > maxNameservers || s.timeout < time.Second || s.timeout > maxTimeout*time.Second || s.attempts < 1 || s.attempts > maxAttempts {
			t.Errorf("got %+v", s)
		}
		for _, server := range s.servers {
			if _, err := netip.ParseAddrPort(server.addr); err != nil {
				t.Errorf("got the server %q", server.addr)
			}
		}
	})
}
