package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// start runs dnsd over a table and returns its address.
func start(t *testing.T, zone string) (addr, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(file, []byte(zone), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-zone", file}, w)
		w.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: got %v, want nil", err)
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "ready addr=")), file
}

func ask(t *testing.T, network, addr, name string, qtype uint16) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.AuthenticatedData = true
	r, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(m, addr)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnswers(t *testing.T) {
	addr, file := start(t, `; a comment
example.org. IN MX 10 mx.example.org.
mx.example.org. 30 IN A 127.0.0.1
www.example.org. IN CNAME mx.example.org.
*.wild.example. IN MX 5 mx.example.org.
!servfail bad.example
!truncate example.org
!ad mx.example.org
shaky.example. IN A 127.0.0.1
!flap shaky.example
!refused shut.example
!cut mean.example
!other example.net
example.net. IN A 127.0.0.1
`)
	tests := []struct {
		network, name string
		qtype         uint16
		rcode, count  int
		tc, ad        bool
	}{
		{"udp", "EXAMPLE.org.", dns.TypeMX, dns.RcodeSuccess, 0, true, false},
		{"tcp", "example.org.", dns.TypeMX, dns.RcodeSuccess, 1, false, false},
		{"udp", "mx.example.org.", dns.TypeA, dns.RcodeSuccess, 1, false, true},
		{"udp", "mx.example.org.", dns.TypeAAAA, dns.RcodeSuccess, 0, false, true},
		{"udp", "www.example.org.", dns.TypeA, dns.RcodeSuccess, 2, false, false},
		{"udp", "a.b.wild.example.", dns.TypeMX, dns.RcodeSuccess, 1, false, false},
		{"udp", "org.", dns.TypeMX, dns.RcodeSuccess, 0, false, false},
		{"udp", "no.example.", dns.TypeMX, dns.RcodeNameError, 0, false, false},
		{"udp", "bad.example.", dns.TypeMX, dns.RcodeServerFailure, 0, false, false},
		{"udp", "shaky.example.", dns.TypeA, dns.RcodeServerFailure, 0, false, false},
		{"udp", "shaky.example.", dns.TypeA, dns.RcodeSuccess, 1, false, false},
		{"udp", "shut.example.", dns.TypeA, dns.RcodeRefused, 0, false, false},
		{"udp", "mean.example.", dns.TypeA, dns.RcodeSuccess, 0, true, false},
		{"udp", "example.net.", dns.TypeA, dns.RcodeSuccess, 1, false, false},
	}
	for _, tt := range tests {
		r := ask(t, tt.network, addr, tt.name, tt.qtype)
		if r.Rcode != tt.rcode || len(r.Answer) != tt.count || r.Truncated != tt.tc || r.AuthenticatedData != tt.ad {
			t.Errorf("%s %s: got %v, want %+v", tt.name, dns.TypeToString[tt.qtype], r, tt)
		}
	}
	if err := os.WriteFile(file+".new", []byte("no.example. IN A 127.0.0.9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(file+".new", later, later); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	if r := ask(t, "udp", addr, "no.example.", dns.TypeA); len(r.Answer) != 1 {
		t.Errorf("after the file changed: got %v, want one record", r)
	}
}

func TestBadTable(t *testing.T) {
	for _, text := range []string{"!what x\n", "example.org. IN MX mx\n"} {
		if _, _, err := parse("zone", []byte(text)); err == nil || !strings.Contains(err.Error(), "zone") {
			t.Errorf("%q: got %v, want an error that names the file", text, err)
		}
	}
}
