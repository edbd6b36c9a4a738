package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/dnsx"
	"posthorn/internal/evlog"
	"posthorn/internal/handover"
	"posthorn/internal/id"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

const text = "Subject: x\r\n\r\nhello\r\n"

// names is a resolver that knows what a test tells it. A name without addresses
// does not exist, "broken.example" cannot be looked up.
type names map[string]string

func (n names) LookupHost(_ context.Context, host string) ([]netip.Addr, dnsx.Meta, error) {
	if host == "broken.example" {
		return nil, dnsx.Meta{Status: dnsx.Temporary}, errors.New("no server answers")
	}
	var list []netip.Addr
	for f := range strings.FieldsSeq(n[host]) {
		list = append(list, netip.MustParseAddr(f))
	}
	if len(list) == 0 {
		return nil, dnsx.Meta{Status: dnsx.NXDomain}, nil
	}
	return list, dnsx.Meta{Status: dnsx.Found}, nil
}

func (n names) Reload(dnsx.Options) error { return nil }

// logged collects the log.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// configuration is a checked one with these lines besides the necessary.
func configuration(t *testing.T, lines ...string) *conf.Config {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "posthorn.conf")
	all := append([]string{"hostname us.example", "domain us.example", "postmaster a@us.example", "run-dir " + dir, "connect-timeout 5s", "remote-timeout 5s"}, lines...)
	if !strings.Contains(strings.Join(lines, "\n"), "listen ") {
		all = append(all, "listen smtp 127.0.0.1:1")
	}
	if err := os.WriteFile(file, []byte(strings.Join(all, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testService(t *testing.T, r resolver, lines ...string) (*service, *logged) {
	t.Helper()
	log := new(logged)
	s := newService(&daemon.Daemon{Conf: configuration(t, lines...), Log: evlog.New(log)}, nil, nil, r)
	s.pool.idle = 0
	t.Cleanup(func() {
		s.pool.close()
		s.closing.Wait()
	})
	return s, log
}

// request is one for a message to these recipients by these hosts.
func request(t *testing.T, hosts []handover.Host, rcpts ...string) handover.RemoteRequest {
	t.Helper()
	r := handover.RemoteRequest{
		ID: id.New(), Try: 1, From: addr.Address{Local: "a", Domain: "x.example"}, Body: "7bit", Size: int64(len(text)),
		Destination: "y.example", Hosts: hosts, TLS: "may",
	}
	for _, s := range rcpts {
		a, err := addr.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		r.Rcpts = append(r.Rcpts, handover.Rcpt{Address: a})
	}
	return r
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

// at names a host at the port of an address.
func at(name, address string) handover.Host {
	_, port, _ := net.SplitHostPort(address)
	return handover.Host{Name: name, Port: port}
}

// closed is a port on which nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// untouched is a host that must not be asked.
func untouched(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if nc, err := l.Accept(); err == nil {
			nc.Close()
			t.Error("a host was asked that must not be")
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// told is a result as one line.
func told(r handover.RemoteResult) string {
	var parts []string
	for _, x := range r.Rcpts {
		v := x.Verdict
		parts = append(parts, v.Kind.String()+" "+v.Status+" "+v.Text+" @"+x.Host)
	}
	s := strings.Join(parts, " | ")
	if r.Reached {
		s += " reached"
	}
	return s
}

func TestBadRequests(t *testing.T) {
	s, log := testService(t, names{})
	good := request(t, []handover.Host{{Name: "192.0.2.1", Port: "25"}}, "b@y.example").Encode()
	path := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file := func(name string, flags int) *os.File {
		f, err := os.OpenFile(name, flags, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	short := request(t, []handover.Host{{Name: "192.0.2.1", Port: "25"}}, "b@y.example")
	short.Offset = 1
	tests := []struct {
		name string
		req  attr.List
		f    *os.File
		want string
	}{
		{"no descriptor", good, nil, "no descriptor"},
		{"open for writing", good, file(path, os.O_RDWR), "open for writing"},
		{"a folder", good, file(filepath.Dir(path), os.O_RDONLY), "expected a regular one"},
		{"too short", short.Encode(), file(path, os.O_RDONLY), "expected a regular one"},
		{"not a request", attr.List{{Name: "request", Value: "fetch"}}, file(path, os.O_RDONLY), "expected send"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer, _ := s.handle(t.Context(), sock.Peer{}, tt.req, tt.f)
			v, err := sock.Verdict(answer)
			if err != nil || v.Kind != verdict.Later || !strings.Contains(v.Text, tt.want) {
				t.Errorf("got %+v %v, want later with %q", v, err, tt.want)
			}
		})
	}
	if n := strings.Count(log.String(), "send-refused"); n != len(tests) {
		t.Errorf("got %d lines send-refused, want %d", n, len(tests))
	}
}

// What the confinement does not allow, or a file that cannot be read, would fail
// at each try: the reload says so and nothing changes.
func TestReloadWithinTheConfinement(t *testing.T) {
	dir := t.TempDir()
	table, junk := filepath.Join(dir, "transport"), filepath.Join(dir, "junk.pem")
	for file, content := range map[string]string{table: "a.example smtp:[b.example]:2626\n", junk: "no certificate"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, line, want string }{
		{"nothing new", "smarthost default [a.example]:587", ""},
		{"port of a smarthost", "smarthost default [a.example]:2525", "port 2525 needs a restart"},
		{"port of a route", "transport " + table, "port 2626 needs a restart"},
		{"port of all hosts", "remote-port 2727", "port 2727 needs a restart"},
		{"no authorities", "smarthost default [a.example]:587 ca=" + junk, "found no certificate"},
		{"a missing file", "smarthost default [a.example]:587 ca=/nonexistent", "posthorn.conf:7: ca:"},
	} {
		s, _ := testService(t, names{})
		s.allowed = []uint16{25, 465, 587}
		before := s.conf.Load()
		err := s.Reload(configuration(t, tt.line))
		if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if changed := s.conf.Load() != before; changed != (err == nil) {
			t.Errorf("%s: got changed=%v after %v", tt.name, changed, err)
		}
	}
}

// What is on its way already is not begun again.
func TestFlights(t *testing.T) {
	s, _ := testService(t, names{})
	r := request(t, []handover.Host{at("127.0.0.1", untouched(t))}, "b@y.example")
	s.flights.begin(r.ID + " b@y.example")
	got := told(s.send(t.Context(), r, section(text)))
	// Reached, for nothing is wrong with the destination: queued is not to leave
	// it alone for that.
	if want := "later 4.3.0 an earlier try is still under way @ reached"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, ok := s.flights.begin(r.ID + " b@y.example"); ok {
		t.Error("the earlier try's mark is gone")
	}
}

// A queued that died before it wrote down what it was told asks again.
func TestArrivedIsNotSentAgain(t *testing.T) {
	s, _ := testService(t, names{})
	first := serve(t, hello()+mail("250 2.0.0 kept", "b@y.example 250 ok", "c@y.example 450 busy")+"C: QUIT")
	r := request(t, []handover.Host{at("127.0.0.1", first.Addr)}, "b@y.example", "c@y.example")
	s.send(t.Context(), r, section(text))
	first.Wait(t)
	second := serve(t, hello()+mail("250 2.0.0 kept too", "c@y.example 250 ok")+"C: QUIT")
	r.Try, r.Hosts = 2, []handover.Host{at("127.0.0.1", second.Addr)}
	got := told(s.send(t.Context(), r, section(text)))
	if want := "done 2.0.0 250 2.0.0 kept @[127.0.0.1] | done 2.0.0 250 2.0.0 kept too @[127.0.0.1] reached"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFlightsForgetTheOldest(t *testing.T) {
	f := newFlights()
	arrived := recipient{verdict: verdict.New(verdict.Done, "2.0.0", "")}
	for n := range remembered + 2 {
		key := strconv.Itoa(n)
		f.begin(key)
		f.end(key, arrived)
	}
	for key, want := range map[string]bool{"0": true, "1": true, "2": false, strconv.Itoa(remembered + 1): false} {
		if _, ok := f.begin(key); ok != want {
			t.Errorf("%s: got begin %v, want %v", key, ok, want)
		}
	}
	if len(f.done) != remembered {
		t.Errorf("got %d remembered, want %d", len(f.done), remembered)
	}
}
