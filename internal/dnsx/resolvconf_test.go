package dnsx

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseConf(t *testing.T) {
	tests := []struct {
		name, text, servers string
		timeout             time.Duration
		attempts            int
		rotate              bool
	}{
		{"empty", "", "[{127.0.0.1:53 true}]", 5 * time.Second, 2, false},
		{"usual", "# made by\ndomain x\nsearch a b\nnameserver 192.0.2.1\n nameserver\t::1 \n", "[{192.0.2.1:53 false} {[::1]:53 true}]", 5 * time.Second, 2, false},
		{"options", "options timeout:1 attempts:3 rotate edns0 ndots:2\nnameserver 192.0.2.1\noptions trust-ad", "[{192.0.2.1:53 true}]", time.Second, 3, true},
		{"bounds", "options timeout:99999999999999 attempts:99\nnameserver 192.0.2.1", "[{192.0.2.1:53 false}]", 30 * time.Second, 5, false},
		{"long timeout", "options timeout:99\nnameserver 192.0.2.1", "[{192.0.2.1:53 false}]", 30 * time.Second, 2, false},
		{"four servers", strings.Repeat("nameserver 192.0.2.1\n", 4), "[{192.0.2.1:53 false} {192.0.2.1:53 false} {192.0.2.1:53 false}]", 5 * time.Second, 2, false},
		{"nonsense", "nameserver here\nnameserver\n;nameserver 192.0.2.1\noptions timeout:x attempts:-1", "[{127.0.0.1:53 true}]", 5 * time.Second, 2, false},
		{"zone", "nameserver fe80::1%eth0", "[{[fe80::1%eth0]:53 false}]", 5 * time.Second, 2, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := parseConf(strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(s.servers); got != tt.servers {
				t.Errorf("servers: got %s, want %s", got, tt.servers)
			}
			if s.timeout != tt.timeout || s.attempts != tt.attempts || s.rotate != tt.rotate {
				t.Errorf("got %v %d %v, want %v %d %v", s.timeout, s.attempts, s.rotate, tt.timeout, tt.attempts, tt.rotate)
			}
		})
	}
}

func TestNewAndReload(t *testing.T) {
	if _, err := New(Options{Servers: []string{"dns.example:53"}}); err == nil {
		t.Error("a name as resolver: got no error")
	}
	if _, err := New(Options{Servers: make([]string, maxServers+1)}); err == nil {
		t.Error("too many resolvers: got no error")
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	r, err := New(Options{File: path})
	if err != nil || fmt.Sprint(r.Ports()) != "[53]" {
		t.Fatalf("no file: got %v %v, want port 53", r, err)
	}
	if err := os.WriteFile(path, []byte("nameserver 192.0.2.7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(Options{File: path}); err != nil {
		t.Fatal(err)
	}
	if got := r.settings.Load().servers[0].addr; got != "192.0.2.7:53" {
		t.Errorf("after reload: got %s, want 192.0.2.7:53", got)
	}
	if err := r.Reload(Options{Servers: []string{"x"}}); err == nil || r.settings.Load().servers[0].addr != "192.0.2.7:53" {
		t.Errorf("bad reload: got %v, want an error and the old server", err)
	}
}
