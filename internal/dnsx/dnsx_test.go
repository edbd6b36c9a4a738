package dnsx

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestLookupMX(t *testing.T) {
	s := serve(t, zone(
		`example.org. 300 IN MX 20 B.mx.example.org.`,
		`example.org. 300 IN MX 10 a.mx.Example.ORG.`,
		`null.example. 300 IN MX 0 .`,
		`alias.example. 300 IN CNAME example.org.`,
		`text.example. 300 IN TXT "x"`,
		`xn--and-6ma2c.example. 60 IN MX 5 mx.example.`,
	))
	tests := []struct {
		name, domain string
		want         []MX
		status       Status
		at           string
	}{
		{"sorted and lower case", "EXAMPLE.org", []MX{{"a.mx.example.org", 10}, {"b.mx.example.org", 20}}, Found, "example.org"},
		{"final dot", "example.org.", []MX{{"a.mx.example.org", 10}, {"b.mx.example.org", 20}}, Found, "example.org"},
		{"null MX", "null.example", []MX{{".", 0}}, Found, "null.example"},
		{"alias chased", "alias.example", []MX{{"a.mx.example.org", 10}, {"b.mx.example.org", 20}}, Found, "example.org"},
		{"no MX", "text.example", nil, NoData, "text.example"},
		{"no such name", "missing.example", nil, NXDomain, "missing.example"},
		{"U-label", "ÑANDÚ.example", []MX{{"mx.example", 5}}, Found, "xn--and-6ma2c.example"},
		{"impossible label", strings.Repeat("a", 64) + ".example", nil, NXDomain, ""},
		{"impossible character", "a b.example", nil, NXDomain, ""},
		{"empty", "", nil, NXDomain, ""},
		{"empty label", "a..example", nil, NXDomain, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, meta, err := resolver(t, s).LookupMX(t.Context(), tt.domain)
			if err != nil || !reflect.DeepEqual(got, tt.want) || meta.Status != tt.status {
				t.Errorf("got %v %v %v, want %v %v", got, meta.Status, err, tt.want, tt.status)
			}
			if tt.at != "" && meta.Name != tt.at {
				t.Errorf("name: got %q, want %q", meta.Name, tt.at)
			}
		})
	}
}

func TestLookupHost(t *testing.T) {
	answer := zone(
		`both.example. 300 IN A 192.0.2.1`,
		`both.example. 100 IN AAAA 2001:db8::1`,
		`four.example. 300 IN A 192.0.2.4`,
		`six.example. 300 IN AAAA 2001:db8::6`,
		`none.example. 300 IN TXT "x"`,
	)
	s := serve(t, func(m *dns.Msg, tcp bool) *dns.Msg {
		q := m.Question[0]
		if (q.Name == "half.example." || q.Name == "dark.example.") && q.Qtype == dns.TypeAAAA {
			return new(dns.Msg).SetRcode(m, dns.RcodeServerFailure)
		}
		if q.Name == "half.example." {
			r := new(dns.Msg).SetReply(m)
			rr, _ := dns.NewRR("half.example. 9 IN A 192.0.2.9")
			r.Answer = []dns.RR{rr}
			return r
		}
		return answer(m, tcp)
	})
	tests := []struct {
		host   string
		want   string
		status Status
	}{
		{"both.example", "[192.0.2.1 2001:db8::1]", Found},
		{"four.example", "[192.0.2.4]", Found},
		{"six.example", "[2001:db8::6]", Found},
		{"half.example", "[192.0.2.9]", Found},
		{"dark.example", "[]", Temporary},
		{"none.example", "[]", NoData},
		{"missing.example", "[]", NXDomain},
		{"localhost", "[127.0.0.1 ::1]", Found},
		{"www.LOCALHOST.", "[127.0.0.1 ::1]", Found},
	}
	r := resolver(t, s)
	for _, tt := range tests {
		got, meta, err := r.LookupHost(t.Context(), tt.host)
		if fmt.Sprint(got) != tt.want || meta.Status != tt.status || (err != nil) != (tt.status == Temporary) {
			t.Errorf("%s: got %v %v %v, want %v %v", tt.host, got, meta.Status, err, tt.want, tt.status)
		}
	}
}

func TestLookupTXT(t *testing.T) {
	s := serve(t, zone(
		`_dmarc.example. 300 IN TXT "v=DMARC1; " "p=none"`,
		`odd.example. 300 IN TXT "a\"b\\c\000\255;"`,
	))
	r := resolver(t, s)
	for name, want := range map[string]string{
		"_dmarc.example": "v=DMARC1; p=none",
		"odd.example":    "a\"b\\c\x00\xff;",
	} {
		got, _, err := r.LookupTXT(t.Context(), name)
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q %v, want %q", name, got, err, want)
		}
	}
}

func TestLookupTLSAAndPTR(t *testing.T) {
	s := serve(t, zone(
		`_25._tcp.mx.example. 300 IN TLSA 3 1 1 0a0b`,
		`1.2.0.192.in-addr.arpa. 300 IN CNAME 1.0/25.2.0.192.in-addr.arpa.`,
		`1.0/25.2.0.192.in-addr.arpa. 300 IN PTR Mail.Example.`,
	))
	r := resolver(t, s)
	tl, meta, err := r.LookupTLSA(t.Context(), "_25._tcp.mx.example")
	if want := []TLSA{{3, 1, 1, []byte{10, 11}}}; err != nil || !reflect.DeepEqual(tl, want) {
		t.Errorf("TLSA: got %v %v %v, want %v", tl, meta, err, want)
	}
	names, _, err := r.LookupPTR(t.Context(), netip.MustParseAddr("192.0.2.1"))
	if err != nil || fmt.Sprint(names) != "[mail.example]" {
		t.Errorf("PTR over a classless CNAME (RFC 2317): got %v %v, want [mail.example]", names, err)
	}
}

func TestServersInTurn(t *testing.T) {
	good := serve(t, zone(`example.org. 300 IN MX 10 mx.example.org.`))
	silent := serve(t, func(*dns.Msg, bool) *dns.Msg { return nil })
	lame := serve(t, func(m *dns.Msg, _ bool) *dns.Msg {
		r := new(dns.Msg).SetReply(m)
		ns, _ := dns.NewRR("org. 300 IN NS ns.example.")
		r.Ns = []dns.RR{ns}
		return r
	})
	tests := []struct {
		name  string
		first *testServer
	}{
		{"SERVFAIL", serve(t, rcode(dns.RcodeServerFailure))},
		{"REFUSED", serve(t, rcode(dns.RcodeRefused))},
		{"silence", silent},
		{"a referral", lame},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := resolver(t, tt.first, good)
			if tt.first == silent {
				s := *r.settings.Load()
				s.timeout = 200 * time.Millisecond
				r.settings.Store(&s)
			}
			got, _, err := r.LookupMX(t.Context(), "example.org")
			if err != nil || len(got) != 1 {
				t.Errorf("got %v %v, want the second server's answer", got, err)
			}
		})
	}
	_, meta, err := impatient(resolver(t, silent, lame)).LookupMX(t.Context(), "example.org")
	if err == nil || meta.Status != Temporary {
		t.Errorf("no server answers: got %v %v, want temporary", meta.Status, err)
	}
}

func TestTruncatedGoesToTCP(t *testing.T) {
	full := zone(`example.org. 300 IN MX 10 mx.example.org.`)
	s := serve(t, func(m *dns.Msg, tcp bool) *dns.Msg {
		if tcp {
			return full(m, tcp)
		}
		r := new(dns.Msg).SetReply(m)
		r.Truncated = true
		return r
	})
	got, _, err := resolver(t, s).LookupMX(t.Context(), "example.org")
	if err != nil || len(got) != 1 {
		t.Errorf("got %v %v, want one exchanger", got, err)
	}
	if udp, tcp := s.counts(); udp != 1 || tcp != 1 {
		t.Errorf("got %d questions by UDP and %d by TCP, want 1 and 1", udp, tcp)
	}
	cut := serve(t, func(m *dns.Msg, _ bool) *dns.Msg {
		r := new(dns.Msg).SetReply(m)
		r.Truncated = true
		return r
	})
	if _, meta, err := resolver(t, cut).LookupMX(t.Context(), "example.org"); err == nil {
		t.Errorf("cut short over TCP: got %v, want an error", meta.Status)
	}
}

func TestWithoutEDNS(t *testing.T) {
	full := zone(`example.org. 300 IN MX 10 mx.example.org.`)
	s := serve(t, func(m *dns.Msg, tcp bool) *dns.Msg {
		if m.IsEdns0() != nil {
			return new(dns.Msg).SetRcode(m, dns.RcodeFormatError)
		}
		return full(m, tcp)
	})
	if got, _, err := resolver(t, s).LookupMX(t.Context(), "example.org"); err != nil || len(got) != 1 {
		t.Errorf("got %v %v, want one exchanger", got, err)
	}
}

func TestAuthentic(t *testing.T) {
	full := zone(`example.org. 300 IN MX 10 mx.example.org.`, `a.example. 300 IN CNAME b.example.`, `b.example. 300 IN MX 1 c.example.`)
	s := serve(t, func(m *dns.Msg, tcp bool) *dns.Msg {
		r := full(m, tcp)
		r.AuthenticatedData = m.AuthenticatedData && m.Question[0].Name != "b.example."
		return r
	})
	r := resolver(t, s)
	if _, meta, _ := r.LookupMX(t.Context(), "example.org"); !meta.Authentic {
		t.Error("loopback resolver with AD: got not authentic")
	}
	q := s.question()
	if o := q.IsEdns0(); o == nil || o.UDPSize() != udpSize || !q.AuthenticatedData {
		t.Errorf("question: got %v, want EDNS0 of %d and AD", q, udpSize)
	}
	if _, meta, _ := r.LookupMX(t.Context(), "a.example"); meta.Authentic {
		t.Error("the second step of a chain without AD: got authentic")
	}
	far := *r.settings.Load()
	far.servers = []server{{addr: s.addr, trust: false}}
	r.settings.Store(&far)
	r.cache.clear()
	if _, meta, _ := r.LookupMX(t.Context(), "example.org"); meta.Authentic {
		t.Error("AD from a server that is not trusted: got authentic")
	}
}

func TestChains(t *testing.T) {
	var long []string
	for i := range 20 {
		long = append(long, fmt.Sprintf("c%d.example. 60 IN CNAME c%d.example.", i, i+1))
	}
	s := serve(t, zone(append(long, "loop.example. 60 IN CNAME loop.example.", "gone.example. 60 IN CNAME nowhere.example.")...))
	r := resolver(t, s)
	for _, name := range []string{"c0.example", "loop.example"} {
		_, meta, err := r.LookupMX(t.Context(), name)
		if err == nil || meta.Status != Temporary {
			t.Errorf("%s: got %v %v, want temporary", name, meta.Status, err)
		}
	}
	if udp, _ := s.counts(); udp > 2*(maxSteps+1) {
		t.Errorf("got %d questions, want at most %d", udp, 2*(maxSteps+1))
	}
	if _, meta, err := r.LookupMX(t.Context(), "gone.example"); meta.Status != NXDomain || err != nil {
		t.Errorf("an alias into nothing: got %v %v, want nxdomain", meta.Status, err)
	}
}

// A server that sends records of other names only has not said that there are
// none: the next one is asked.
func TestOthersRecordsAreNoAnswer(t *testing.T) {
	truth := zone(`example.org. 300 IN MX 10 mx.example.org.`)
	lies := serve(t, func(m *dns.Msg, _ bool) *dns.Msg {
		r := new(dns.Msg).SetReply(m)
		other, _ := dns.NewRR(`example.net. 300 IN MX 10 mx.example.net.`)
		r.Answer = []dns.RR{other}
		return r
	})
	if _, meta, err := resolver(t, lies).LookupMX(t.Context(), "example.org"); meta.Status != Temporary || err == nil {
		t.Errorf("alone: got %v %v, want temporary", meta.Status, err)
	}
	if got, meta, err := resolver(t, lies, serve(t, truth)).LookupMX(t.Context(), "example.org"); len(got) != 1 || err != nil {
		t.Errorf("before another: got %v %v %v, want the exchanger", got, meta.Status, err)
	}
}

// Of too many exchangers the best are kept, wherever they stand.
func TestBestOfTooManyExchangers(t *testing.T) {
	var lines []string
	for n := range 3 * maxMX {
		lines = append(lines, fmt.Sprintf("example.org. 300 IN MX %d mx%d.example.org.", 3*maxMX-n, n))
	}
	all := zone(lines...)
	s := serve(t, func(m *dns.Msg, tcp bool) *dns.Msg {
		r := all(m, tcp)
		if !tcp {
			r.Truncate(udpSize)
		}
		return r
	})
	got, _, err := resolver(t, s).LookupMX(t.Context(), "example.org")
	if err != nil || len(got) != maxMX || got[0].Pref != 1 || got[maxMX-1].Pref != maxMX {
		t.Errorf("got %v %v, want those of preference 1 to %d", got, err, maxMX)
	}
}

// A reply with another question, another id or records of other names is no
// answer: the attacker's address must never come through.
func TestFalseReplies(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, p := range falsified(buf[:n]) {
				pc.WriteTo(p, from)
			}
		}
	}()
	r, err := New(Options{Servers: []string{pc.LocalAddr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	got, meta, err := r.LookupMX(t.Context(), "example.org")
	if err != nil || fmt.Sprint(got) != "[{mx.example.org 10}]" {
		t.Errorf("got %v %v %v, want the one true exchanger", got, meta, err)
	}
}

func falsified(query []byte) [][]byte {
	m := new(dns.Msg)
	if m.Unpack(query) != nil {
		return nil
	}
	reply := func(change func(*dns.Msg), records ...string) []byte {
		r := new(dns.Msg).SetReply(m)
		for _, l := range records {
			rr, _ := dns.NewRR(l)
			r.Answer = append(r.Answer, rr)
		}
		change(r)
		wire, _ := r.Pack()
		return wire
	}
	evil := "example.org. 300 IN MX 1 evil.example."
	return [][]byte{
		reply(func(r *dns.Msg) { r.Id++ }, evil),
		reply(func(r *dns.Msg) { r.Question[0].Name = "example.net." }, evil),
		reply(func(r *dns.Msg) { r.Question[0].Qtype = dns.TypeTXT }, evil),
		reply(func(r *dns.Msg) { r.Question = nil }, evil),
		reply(func(r *dns.Msg) { r.Response = false }, evil),
		{1, 2, 3},
		reply(func(*dns.Msg) {}, "other.example. 300 IN MX 1 evil.example.", "example.org. 300 IN MX 10 mx.example.org."),
	}
}

// Whoever floods the UDP port with guesses loses to TCP.
func TestJunkGoesToTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	full := zone(`example.org. 300 IN MX 10 mx.example.org.`)
	srv := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { w.WriteMsg(full(m, true)) })}
	go srv.ActivateAndServe()
	defer l.Close()
	pc, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	go func() {
		buf := make([]byte, udpBuffer)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			for range maxJunk {
				buf[0]++
				pc.WriteTo(buf[:n], from)
			}
		}
	}()
	r, err := New(Options{Servers: []string{l.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := r.LookupMX(t.Context(), "example.org"); err != nil || len(got) != 1 {
		t.Errorf("got %v %v, want one exchanger", got, err)
	}
}

func TestCancel(t *testing.T) {
	s := serve(t, func(*dns.Msg, bool) *dns.Msg { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, meta, err := resolver(t, s).LookupMX(ctx, "example.org")
	if err == nil || meta.Status != Temporary {
		t.Errorf("got %v %v, want temporary", meta.Status, err)
	}
}
