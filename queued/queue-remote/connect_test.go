package main

import (
	"encoding/pem"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/internal/handover"
	"posthorn/internal/verdict"
	"posthorn/queued/queue-remote/internal/script"
)

// Mail that comes back to ourselves would go round for ever.
func TestSelf(t *testing.T) {
	loops := "never 5.4.6 the mail loops back to this system @[127.0.0.1]"
	tests := []struct {
		name         string
		before, more func(t *testing.T) string
		want         string
	}{
		{"our own listener", nil, nil, loops},
		{"a better host is down", closed, nil, "later 4.4.1 cannot connect to [127.0.0.1]: connection refused @[127.0.0.1]"},
		{"worse hosts are no way on", nil, untouched, loops},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := serve(t, "X").Addr // As if it were our listener: it is never spoken to.
			hosts := []handover.Host{at("127.0.0.1", own)}
			if tt.before != nil {
				hosts = append([]handover.Host{at("127.0.0.1", tt.before(t))}, hosts...)
			}
			if tt.more != nil {
				hosts = append(hosts, at("127.0.0.1", tt.more(t)))
			}
			s, _ := testService(t, names{}, "listen smtp "+own)
			if got := told(s.send(t.Context(), request(t, hosts, "b@y.example"), section(text))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A host of our own name is ourselves, but for ports where a filter may listen.
func TestSelfByName(t *testing.T) {
	greets := "S: 220 US.example ESMTP\nC: EHLO us.example\nS: 250 us.example\n"
	host := serve(t, greets+"C: QUIT")
	h := at("127.0.0.1", host.Addr)
	s, _ := testService(t, names{}, "remote-port "+h.Port)
	want := "never 5.4.6 the mail loops back to this system @[127.0.0.1]"
	if got := told(s.send(t.Context(), request(t, []handover.Host{h}, "b@y.example"), section(text))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	host = serve(t, greets+mail("250 kept", "b@y.example 250 ok"))
	s, _ = testService(t, names{})
	want = "done 2.0.0 250 kept @[127.0.0.1] reached"
	if got := told(s.send(t.Context(), request(t, []handover.Host{at("127.0.0.1", host.Addr)}, "b@y.example"), section(text))); got != want {
		t.Errorf("on another port: got %s, want %s", got, want)
	}
}

const inClear = "S: 220 mx.example ESMTP\nC: EHLO us.example\nS: 250-mx.example\nS: 250 STARTTLS\n"

func TestTLS(t *testing.T) {
	cert := script.Certificate(t, "mx.example")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	start := inClear + "C: STARTTLS\nS: 220 go\nT\n"
	ehlo := script.Ehlo("us.example")
	send := mail("250 kept", "b@y.example 250 ok")
	done := "done 2.0.0 250 kept @mx.example[127.0.0.1] reached"
	tests := []struct{ name, policy, ca, host, steps, want, tls string }{
		{"may", "may", "", "mx.example", start + ehlo + send, done, "tls=TLS1.3"},
		{"may, another name", "may", "", "other.example", start + ehlo + send, "done 2.0.0 250 kept @other.example[127.0.0.1] reached", "tls=TLS1.3"},
		{"may, not offered", "may", "", "mx.example", hello() + send, done, "tls=no"},
		{"may, refused", "may", "", "mx.example", inClear + "C: STARTTLS\nS: 454 4.7.0 not now\n" + send, done, "tls=no"},
		{"may, a broken handshake", "may", "", "mx.example", inClear + "C: STARTTLS\nS: 220 go\nR: nonsense\\r\\n\nN\n" + hello() + send, done, "tls=no"},
		{"may, closed at the handshake", "may", "", "mx.example", inClear + "C: STARTTLS\nS: 220 go\nN\n" + hello() + send, done, "tls=no"},
		{"may, EHLO refused inside", "may", "", "mx.example", start + "C: EHLO us.example\nS: 454 no\nC: QUIT", "later 4.3.2 454 no @mx.example[127.0.0.1]", "tls=no"},
		{"none", "none", "", "mx.example", inClear + send, done, "tls=no"},
		{"require", "require", ca, "mx.example", start + ehlo + send, done, "tls=TLS1.3+verified"},
		{"require, not offered", "require", ca, "mx.example", hello() + "C: QUIT", "later 4.7.4 mx.example[127.0.0.1] does not offer TLS, which is required @mx.example[127.0.0.1]", ""},
		{"require, refused", "require", ca, "mx.example", inClear + "C: STARTTLS\nS: 454 4.7.0 not now\nC: QUIT", "later 4.7.0 454 4.7.0 not now @mx.example[127.0.0.1]", ""},
		{"require, another name", "require", ca, "other.example", start, "later 4.7.5 the certificate of other.example[127.0.0.1] cannot be trusted @other.example[127.0.0.1]", ""},
		{"require, an unknown authority", "require", "", "mx.example", start, "later 4.7.5 the certificate of mx.example[127.0.0.1] cannot be trusted @mx.example[127.0.0.1]", ""},
		{"require, no such file", "require", "/nowhere/ca.pem", "mx.example", inClear + "C: QUIT", "later 4.3.5 the certificates of authorities cannot be read @mx.example[127.0.0.1]", ""},
		{"require, by address", "require", ca, "127.0.0.1", start + ehlo + send, "done 2.0.0 250 kept @[127.0.0.1] reached", "tls=TLS1.3+verified"},
		{"implicit", "implicit", ca, "mx.example", "T\n" + hello() + send, done, "tls=TLS1.3+verified"},
		{"implicit, not trusted", "implicit", "", "mx.example", "T\n", "later 4.7.5 the certificate of mx.example[127.0.0.1] cannot be trusted @mx.example[127.0.0.1]", ""},
		{"implicit, no TLS there", "implicit", ca, "mx.example", "S: 220 mx.example\nX", "later 4.7.5 TLS with mx.example[127.0.0.1] failed @mx.example[127.0.0.1]", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := script.Serve(t, "127.0.0.1:0", cert, tt.steps)
			s, log := testService(t, names{"mx.example": "127.0.0.1", "other.example": "127.0.0.1"})
			r := request(t, []handover.Host{at(tt.host, host.Addr)}, "b@y.example")
			r.TLS, r.CAFile = tt.policy, tt.ca
			if got := told(s.send(t.Context(), r, section(text))); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if tt.tls != "" && !strings.Contains(log.String(), tt.tls+" ") && strings.HasPrefix(tt.want, "done") {
				t.Errorf("log: got\n%s, want %s", log, tt.tls)
			}
		})
	}
}

func TestLogin(t *testing.T) {
	send := mail("250 kept", "b@y.example 250 ok")
	tests := []struct{ name, steps, want string }{
		{"taken", hello("AUTH PLAIN") + "C: AUTH PLAIN AHUAcDpx\nS: 235 ok\n" + send, "done 2.0.0 250 kept @[127.0.0.1] reached"},
		{"refused", hello("AUTH PLAIN") + "C: AUTH PLAIN AHUAcDpx\nS: 535 5.7.8 no\nC: QUIT", "later 4.7.8 [127.0.0.1] refuses the login @[127.0.0.1]"},
		{"not offered", hello() + "C: QUIT", "later 4.7.0 [127.0.0.1]: the server offers neither AUTH PLAIN nor AUTH LOGIN @[127.0.0.1]"},
		{"closed", hello("AUTH PLAIN") + "C: AUTH PLAIN AHUAcDpx\nX", "later 4.4.2 lost the connection with [127.0.0.1] @[127.0.0.1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := serve(t, tt.steps)
			s, log := testService(t, names{})
			r := request(t, []handover.Host{at("127.0.0.1", host.Addr)}, "b@y.example")
			r.Login = "u:p:q"
			if got := told(s.send(t.Context(), r, section(text))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if strings.Contains(log.String(), "AHUAcDpx") || strings.Contains(log.String(), "p:q") {
				t.Errorf("the password stands in the log:\n%s", log)
			}
		})
	}
}

// Over the network, a password goes out under TLS only.
func TestLoginInClear(t *testing.T) {
	host := serve(t, hello("AUTH PLAIN"))
	s, _ := testService(t, names{})
	n := &sending{s: s, r: handover.RemoteRequest{Login: "u:p", TLS: "none"}}
	h := host1(t, host.Addr)
	c, err := (&sending{s: s, r: handover.RemoteRequest{TLS: "none"}}).connect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h.addr = netip.MustParseAddrPort("192.0.2.1:25")
	if v := verdict.Of(n.login(c, h)); v.Kind != verdict.Later || v.Status != "4.7.11" {
		t.Errorf("got %+v, want later 4.7.11", v)
	}
	host.Wait(t)
}

func host1(t *testing.T, address string) host {
	t.Helper()
	return host{name: "mx.example", addr: netip.MustParseAddrPort(address)}
}

func TestOwnListener(t *testing.T) {
	host := serve(t, "X")
	_, port, _ := strings.Cut(host.Addr, ":")
	nc, err := net.Dial("tcp", host.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for line, want := range map[string]bool{
		"listen smtp *:" + port:             true,
		"listen smtp 0.0.0.0:" + port:       true,
		"listen smtp 127.0.0.1:" + port:     true,
		"listen submission *:" + port:       true,
		"listen smtp 127.0.0.2:" + port:     false,
		"listen smtp 192.0.2.1:" + port:     false,
		"listen smtp *:1":                   false,
		"listen imap 127.0.0.1:" + port:     false,
		"listen smtp [2001:db8::1]:" + port: false,
	} {
		if got := ownListener(configuration(t, line), nc); got != want {
			t.Errorf("%s: got %v, want %v", line, got, want)
		}
	}
}
