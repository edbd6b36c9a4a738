package tables

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/internal/addr"
)

const transportTable = `# key value
example.com        smtp:[mx.example.com]:2525
.example.com       smtp:relay.example.net
sub.example.com	smtp:
vip@example.com    smtp:[192.0.2.1]
six.example        smtp:[IPv6:2001:db8::1]:25
port.example       smtp:relay.example.net:587
gone.example       error:5.1.6 moved away
busy.example       error:4.7.1 not now
box.example        lmtp:mx.box.example:2424
box6.example       lmtp:[::1]
sock.example       lmtp:unix:/run/dovecot/lmtp
`

func TestTransport(t *testing.T) {
	table, err := ParseTransport("transport", []byte(transportTable+"bücher.example smtp:[idn]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"a@example.com":              "mx.example.com 2525 true 2",
		"VIP@example.com":            "192.0.2.1  true 5",
		"a@x.example.com":            "relay.example.net  false 3",
		"a@y.x.example.com":          "relay.example.net  false 3",
		"a@sub.example.com":          "  false 4",
		"a@six.example":              "2001:db8::1 25 true 6",
		"a@port.example":             "relay.example.net 587 false 7",
		"a@xn--bcher-kva.example":    "idn  true 13",
		"a@box.example":              "lmtp mx.box.example 2424",
		"a@box6.example":             "lmtp ::1 24",
		"a@sock.example":             "lmtp /run/dovecot/lmtp ",
		"a@gone.example":             "never 5.1.6 moved away",
		"a@busy.example":             "later 4.7.1 not now",
		"a@other.example":            "none",
		"a@notexample.com":           "none",
		"a@[192.0.2.9]":              "none",
		"a@example.com.attacker.org": "none",
	} {
		a, err := addr.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := table.Lookup(a)
		got := fmt.Sprintf("%s %s %v %d", r.Host, r.Port, r.Bracketed, r.Place.Line)
		switch {
		case !ok:
			got = "none"
		case r.LMTP:
			got = fmt.Sprintf("lmtp %s %s", r.Host+r.Socket, r.Port)
		case r.Refuse != nil:
			got = fmt.Sprintf("%v %s %s", r.Refuse.Kind, r.Refuse.Status, r.Refuse.Text)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

func TestTransportForAll(t *testing.T) {
	table, err := ParseTransport("transport", []byte("* smtp:[all]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := table.Lookup(addr.Address{Local: "a", Domain: "b.example"}); !ok || r.Host != "all" {
		t.Errorf("got %+v, %v, want the route of *", r, ok)
	}
}

func TestTransportRefuses(t *testing.T) {
	for _, line := range []string{"example.com", " example.com smtp:x", "example.com lmtp:", "example.com lmtp:x:25", "example.com lmtp:unix:run/x",
		"example.com lmtp:unix:/a b", "example.com lmtp:unix:/" + strings.Repeat("x", 107), "example.com lmtp:[::1", "example.com local:", "example.com smtp:[x",
		"example.com smtp:[]", "example.com smtp:[x]25", "example.com smtp:x:0", "example.com smtp:x:99999", "example.com smtp:192.0.2.1",
		"example.com smtp:a b", "example.com error:5.1.1", "example.com error:2.0.0 fine", "example.com error:5.1 text",
		"example.com error:5.01.1 text", "exa_mple..com smtp:x", "a@ smtp:x", "example.com smtp:x\nEXAMPLE.com smtp:y"} {
		if _, err := ParseTransport("transport", []byte(line)); err == nil || !strings.HasPrefix(err.Error(), "transport:") {
			t.Errorf("%q: got %v, want an error with the line", line, err)
		}
	}
}

func FuzzTransport(f *testing.F) {
	f.Add([]byte(transportTable))
	f.Fuzz(func(t *testing.T, content []byte) {
		table, err := ParseTransport("transport", content)
		if err != nil {
			return
		}
		table.Lookup(addr.Address{Local: "a", Domain: "b.c.example"})
		for key, r := range table.byKey {
			if r.Refuse == nil && strings.ContainsAny(r.Host+r.Port, " []@\t") {
				t.Errorf("%s: got the host %q and port %q", key, r.Host, r.Port)
			}
		}
	})
}
