package route

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/dnsx"
	"posthorn/internal/handover"
	"posthorn/internal/tables"
	"posthorn/internal/verdict"
)

// zone is a Resolver that knows a few names; the others do not exist.
type zone struct {
	mx   map[string][]dnsx.MX
	host map[string]string // "" for a name without addresses
}

var errServers = errors.New("no server answers")

func (z zone) LookupMX(_ context.Context, domain string) ([]dnsx.MX, dnsx.Meta, error) {
	if strings.HasPrefix(domain, "broken") {
		return nil, dnsx.Meta{Status: dnsx.Temporary}, errServers
	}
	if mx, ok := z.mx[domain]; ok {
		return mx, dnsx.Meta{Status: dnsx.Found}, nil
	}
	if _, ok := z.host[domain]; ok {
		return nil, dnsx.Meta{Status: dnsx.NoData}, nil
	}
	return nil, dnsx.Meta{Status: dnsx.NXDomain}, nil
}

func (z zone) LookupHost(_ context.Context, host string) ([]netip.Addr, dnsx.Meta, error) {
	ip, ok := z.host[host]
	switch {
	case strings.HasPrefix(host, "slow"):
		return nil, dnsx.Meta{Status: dnsx.Temporary}, errServers
	case !ok:
		return nil, dnsx.Meta{Status: dnsx.NXDomain}, nil
	case ip == "":
		return nil, dnsx.Meta{Status: dnsx.NoData}, nil
	}
	return []netip.Addr{netip.MustParseAddr(ip)}, dnsx.Meta{Status: dnsx.Found}, nil
}

func testZone() zone {
	return zone{
		mx: map[string][]dnsx.MX{
			"two.example":      {{Host: "mx2.two.example", Pref: 20}, {Host: "mx1.two.example", Pref: 10}},
			"equal.example":    {{Host: "a.equal.example", Pref: 5}, {Host: "b.equal.example", Pref: 5}, {Host: "c.equal.example", Pref: 5}},
			"null.example":     {{Host: ".", Pref: 0}},
			"backup.example":   {{Host: "best.example", Pref: 1}, {Host: "mx.test", Pref: 10}, {Host: "also.example", Pref: 10}, {Host: "worse.example", Pref: 20}},
			"byaddr.example":   {{Host: "best.example", Pref: 1}, {Host: "here.example", Pref: 2}, {Host: "worse.example", Pref: 3}},
			"loop.example":     {{Host: "mx.test", Pref: 10}, {Host: "worse.example", Pref: 20}},
			"slow.example":     {{Host: "slow.mx.example", Pref: 10}},
			"mixed.example":    {{Host: ".", Pref: 1}, {Host: "best.example", Pref: 2}},
			"relay.example":    {{Host: "mx.relay.example", Pref: 1}},
			"dangling.example": {{Host: "gone.example", Pref: 1}},
		},
		host: map[string]string{
			"best.example": "192.0.2.1", "worse.example": "192.0.2.2", "here.example": "192.0.2.99",
			"a-only.example": "192.0.2.3", "empty.example": "", "self.example": "192.0.2.99", "slow-a.example": "",
		},
	}
}

// router makes a router; extra are lines of configuration, transport is the table.
func router(t *testing.T, extra, transport string) *Router {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("me:pass word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "posthorn.conf")
	text := "hostname mx.test\ndomain test\npostmaster p@test\n" + strings.ReplaceAll(extra, "SECRET", "@"+secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	table, err := tables.ParseTransport("transport", []byte(transport))
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(c, testZone(), func() *tables.Transport { return table }, func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.99")} })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func address(t *testing.T, s string) addr.Address {
	t.Helper()
	a, err := addr.ParseOrNull(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func text(hosts []handover.Host) string {
	var out []string
	for _, h := range hosts {
		out = append(out, h.Name+":"+h.Port)
	}
	return strings.Join(out, " ")
}

func TestHostsByMX(t *testing.T) {
	r := router(t, "", "")
	for _, c := range []struct{ name, rcpt, want, status string }{
		{"in order of preference", "x@two.example", "mx1.two.example:25 mx2.two.example:25", ""},
		{"null MX (RFC 7505)", "x@null.example", "", "5.1.10"},
		{"a dot among others", "x@mixed.example", "best.example:25", ""},
		{"no MX, an address", "x@a-only.example", "a-only.example:25", ""},
		{"no MX, no address", "x@empty.example", "", "5.1.2"},
		{"no such domain", "x@nowhere.example", "", "5.1.2"},
		{"no answer for MX", "x@broken.example", "", "4.4.3"},
		{"no answer for the address", "x@slow-a.example", "", "4.4.3"},
		{"no answer for an exchanger", "x@slow.example", "slow.mx.example:25", ""},
		{"an exchanger that does not exist", "x@dangling.example", "gone.example:25", ""},
		{"we are a backup, by name", "x@backup.example", "best.example:25", ""},
		{"we are a backup, by address", "x@byaddr.example", "best.example:25", ""},
		{"we are the best", "x@loop.example", "", "5.4.6"},
		{"no MX, our address", "x@self.example", "", "5.4.6"},
		{"literal", "x@[192.0.2.7]", "192.0.2.7:25", ""},
		{"literal, IPv6", "x@[IPv6:2001:db8::1]", "2001:db8::1:25", ""},
	} {
		hosts, err := r.Hosts(t.Context(), r.Choose(addr.Address{}, address(t, c.rcpt)))
		if got := text(hosts); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if got := verdict.Of(err).Status; c.status != "" && got != c.status || c.status == "" && err != nil {
			t.Errorf("%s: got %v, want status %q", c.name, err, c.status)
		}
	}
}

// What the administrator wrote and the DNS does not know is put right one day;
// the mail waits.
func TestChosenHostsThatDoNotExistAreLater(t *testing.T) {
	for _, c := range []struct{ name, conf, transport string }{
		{"smarthost that does not exist", "smarthost default nowhere.example:587\n", ""},
		{"smarthost without address", "smarthost default empty.example:587\n", ""},
		{"smarthost with null MX", "smarthost default null.example:587\n", ""},
		{"smarthost that is this host", "smarthost default loop.example:25\n", ""},
		{"route to what does not exist", "", "two.example smtp:nowhere.example\n"},
	} {
		r := router(t, c.conf, c.transport)
		_, err := r.Hosts(t.Context(), r.Choose(addr.Address{}, address(t, "x@two.example")))
		if v := verdict.Of(err); v.Kind != verdict.Later || v.Status != "4.4.4" {
			t.Errorf("%s: got %+v, want later 4.4.4", c.name, v)
		}
	}
	r := router(t, "", "nowhere.example smtp:\n")
	_, err := r.Hosts(t.Context(), r.Choose(addr.Address{}, address(t, "x@nowhere.example")))
	if v := verdict.Of(err); v.Kind != verdict.Never {
		t.Errorf("route to the recipient's own domain: got %+v, want never", v)
	}
}

func TestOurPortDecidesWhetherAnAddressIsUs(t *testing.T) {
	r := router(t, "listen smtp *:2525\n", "")
	hosts, err := r.Hosts(t.Context(), r.Choose(addr.Address{}, address(t, "x@self.example")))
	if got := text(hosts); got != "self.example:25" || err != nil {
		t.Errorf("another server on our address: got %q, %v", got, err)
	}
}

// bounded is a zone that wants a deadline and counts the hosts it is asked for.
type bounded struct {
	zone
	t     *testing.T
	asked *int
}

func (b bounded) LookupHost(ctx context.Context, host string) ([]netip.Addr, dnsx.Meta, error) {
	if _, ok := ctx.Deadline(); !ok {
		b.t.Errorf("%s: got no deadline", host)
	}
	*b.asked++
	return b.zone.LookupHost(ctx, "slow")
}

func TestLookUpsAreBounded(t *testing.T) {
	r := router(t, "", "")
	z := bounded{testZone(), t, new(int)}
	for n := range 60 {
		z.mx["many.example"] = append(z.mx["many.example"], dnsx.MX{Host: fmt.Sprintf("mx%d.many.example", n), Pref: uint16(60 - n)})
	}
	r.Resolver = z
	hosts, err := r.Hosts(t.Context(), r.Choose(addr.Address{}, address(t, "x@many.example")))
	if err != nil || len(hosts) != maxExchangers || *z.asked != maxExchangers {
		t.Fatalf("got %d hosts after %d look-ups, %v, want %d", len(hosts), *z.asked, err, maxExchangers)
	}
	if got := hosts[0].Name; got != "mx59.many.example" {
		t.Errorf("got %s in front, want the best", got)
	}
}

func TestEqualPreferencesAreShuffled(t *testing.T) {
	r := router(t, "", "")
	seen := map[string]bool{}
	for range 200 {
		hosts, err := r.Hosts(t.Context(), r.Choose(addr.Address{}, address(t, "x@equal.example")))
		if err != nil || len(hosts) != 3 {
			t.Fatalf("got %v, %v", hosts, err)
		}
		seen[hosts[0].Name] = true
	}
	if len(seen) != 3 {
		t.Errorf("got only %v in front", seen)
	}
}

func TestChoice(t *testing.T) {
	const smarthosts = "smarthost default [relay.example]:587 login=SECRET tls=require\n" +
		"smarthost ann@test relay.example:25\nsmarthost @b.test [192.0.2.5]:465 tls=implicit\n"
	const transport = "route.example smtp:[192.0.2.6]:2525\nmx.example smtp:two.example\n" +
		".sub.example error:5.7.1 not for you\nboss@two.example smtp:[boss.example]\n" +
		"later.example error:4.3.2 come back\nown.example smtp:\nliteral.example smtp:[IPv6:2001:db8::5]:26\n" +
		"box.example lmtp:[::1]:2424\nsock.example lmtp:unix:/run/s\n"
	for _, c := range []struct{ name, conf, from, rcpt, want string }{
		{"plain MX", "", "x@test", "y@two.example", "two.example two.example//25/may"},
		{"transport, brackets and port", "", "x@test", "y@route.example", "192.0.2.6:2525 /192.0.2.6/2525/may"},
		{"transport, MX of another", "", "x@test", "y@mx.example", "two.example two.example//25/may"},
		{"transport, one address", "", "x@test", "boss@two.example", "boss.example /boss.example/25/may"},
		{"transport before smarthost", smarthosts, "x@test", "y@route.example", "192.0.2.6:2525 /192.0.2.6/2525/may"},
		{"transport against the smarthost", smarthosts, "x@test", "y@own.example", "own.example own.example//25/may"},
		{"transport, IPv6 literal", "", "x@test", "y@literal.example", "2001:db8::5:26 /2001:db8::5/26/may"},
		{"LMTP", "remote-tls require\n" + smarthosts, "x@test", "y@box.example", "lmtp:[::1]:2424 /::1/2424/may lmtp"},
		{"LMTP at a socket", "", "x@test", "y@sock.example", "lmtp:unix:/run/s //run/s//none lmtp"},
		{"smarthost for all", smarthosts, "x@test", "y@two.example", "relay.example:587 /relay.example/587/require me:pass word"},
		{"smarthost for the null sender", smarthosts, "", "y@two.example", "relay.example:587 /relay.example/587/require me:pass word"},
		{"smarthost of a sender, by MX", smarthosts, "Ann@test", "y@two.example", "relay.example:25 relay.example//25/may"},
		{"smarthost of a domain", smarthosts, "x@b.test", "y@two.example", "192.0.2.5:465 /192.0.2.5/465/implicit"},
	} {
		r := router(t, c.conf, transport)
		got := r.Choose(address(t, c.from), address(t, c.rcpt))
		s := strings.TrimSpace(fmt.Sprintf("%s %s/%s/%s/%s %s", got.Name, got.Domain, got.Host, got.Port, got.TLS, got.Login))
		if got.LMTP {
			s += " lmtp"
		}
		if s != c.want {
			t.Errorf("%s: got %q, want %q", c.name, s, c.want)
		}
	}
	r := router(t, "", transport)
	for rcpt, status := range map[string]string{"y@a.sub.example": "5.7.1", "y@later.example": "4.3.2"} {
		_, err := r.Hosts(t.Context(), r.Choose(addr.Address{}, address(t, rcpt)))
		if got := verdict.Of(err).Status; got != status {
			t.Errorf("%s: got %q, want %q", rcpt, got, status)
		}
	}
}

func TestSecretThatCannotBeReadNamesTheLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "posthorn.conf")
	text := "hostname mx.test\ndomain test\npostmaster p@test\nsmarthost default [r.example]:587 login=@/nonexistent\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(c, testZone(), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "posthorn.conf:4") {
		t.Errorf("got %v, want an error with file and line", err)
	}
}

func TestInterfacesHaveTheLoopback(t *testing.T) {
	var i Interfaces
	found := false
	for _, a := range i.Addrs() {
		found = found || a.IsLoopback()
	}
	if !found {
		t.Errorf("got %v, want the loopback among them", i.Addrs())
	}
}
