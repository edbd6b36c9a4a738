package main

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/sock"
)

func prefix(s string) netip.Prefix { return network(netip.MustParseAddr(s)) }

// testGuard returns a guard of 3 failures in a minute, and its clock.
func testGuard() (*guard, *time.Time) {
	g := newGuard(3, time.Minute)
	now := time.Now()
	g.now = func() time.Time { return now }
	return g, &now
}

func TestGuardByClient(t *testing.T) {
	g, now := testGuard()
	for i := range 3 {
		if g.refuses(prefix("192.0.2.1"), "new") {
			t.Errorf("after %d failures: refused", i)
		}
		g.failed(prefix("192.0.2.1"), fmt.Sprint("user", i))
	}
	for address, want := range map[string]bool{"192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.2.2": false, "2001:db8::1": false} {
		if got := g.refuses(prefix(address), "new"); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
	*now = now.Add(time.Minute - 1)
	if !g.refuses(prefix("192.0.2.1"), "new") {
		t.Error("just before the window is over: not refused")
	}
	*now = now.Add(1)
	if g.refuses(prefix("192.0.2.1"), "new") {
		t.Error("after the window: refused")
	}
	g.failed(prefix("192.0.2.1"), "x")
	if g.refuses(prefix("192.0.2.1"), "new") {
		t.Error("after one failure of a new window: refused")
	}
}

func TestGuardIPv6(t *testing.T) {
	g, _ := testGuard()
	for i := range 3 {
		g.failed(prefix(fmt.Sprintf("2001:db8:0:1::%d", i)), fmt.Sprint("user", i))
	}
	if !g.refuses(prefix("2001:db8:0:1:ffff::1"), "new") {
		t.Error("the same /64: not refused")
	}
	if g.refuses(prefix("2001:db8:0:2::1"), "new") {
		t.Error("another /64: refused")
	}
}

func TestGuardByUser(t *testing.T) {
	g, _ := testGuard()
	g.succeeded(prefix("192.0.2.200"), "ann")
	for i := range 3 {
		g.failed(prefix(fmt.Sprintf("192.0.2.%d", i)), "ann")
	}
	if !g.refuses(prefix("198.51.100.1"), "ann") {
		t.Error("from a new network: not refused")
	}
	if g.refuses(prefix("192.0.2.200"), "ann") {
		t.Error("from where she is known: refused")
	}
	if g.refuses(prefix("198.51.100.1"), "bob") {
		t.Error("somebody else: refused")
	}
}

// TestGuardKnown: a known pair has its own count, and neither suffers from
// others nor makes them suffer.
func TestGuardKnown(t *testing.T) {
	g, _ := testGuard()
	client := prefix("127.0.0.1")
	g.succeeded(client, "ann")
	g.succeeded(client, "bob")
	for range 3 {
		g.failed(client, "ann")
	}
	if !g.refuses(client, "ann") {
		t.Error("a known user who fails: not refused")
	}
	if g.refuses(client, "bob") || g.refuses(client, "carl") {
		t.Error("others behind the same address: refused")
	}
	for i := range 3 {
		g.failed(client, fmt.Sprint("guess", i))
	}
	if !g.refuses(client, "carl") {
		t.Error("a stranger from where there were guesses: not refused")
	}
	if g.refuses(client, "bob") {
		t.Error("a known user from where there were guesses: refused")
	}
	g.succeeded(client, "ann")
	if !g.refuses(client, "ann") {
		t.Error("a success cleared the failures")
	}
}

func TestGuardIsBounded(t *testing.T) {
	g, _ := testGuard()
	for i := range guardMax + 1000 {
		client := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		g.failed(client, fmt.Sprint("user", i))
		g.succeeded(client, fmt.Sprint("user", i))
	}
	if a, b, c := len(g.clients.entries), len(g.users.entries), len(g.known.entries); a != guardMax || b != guardMax || c != guardMax {
		t.Errorf("got %d clients, %d users and %d pairs, want %d each", a, b, c, guardMax)
	}
	if a := g.clients.order.Len(); a != guardMax {
		t.Errorf("got %d clients in order, want %d", a, guardMax)
	}
}

// TestGuardedLogin: the answer of the guard is that of a wrong password, to
// the byte, for every daemon alike and for the right password too.
func TestGuardedLogin(t *testing.T) {
	svc, c, kinds := loginSite(t, "auth-failures 3\nauth-window 10m\n")
	ask := func(service, user, password string) string {
		req := attr.List{{Name: "request", Value: "login"}, {Name: "service", Value: service}, {Name: "user", Value: user},
			{Name: "password", Value: password}, {Name: "client", Value: "203.0.113.9"}, {Name: "tls", Value: "no"}}
		l, _ := svc.handle(t.Context(), sock.Peer{UID: svc.peers.login[0]}, req, nil)
		b, err := attr.Append(nil, l)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := ask("imap", "ann", "wrong1")
	ask("pop3", "ann", "wrong2")
	ask("smtp", "ann", "wrong3")
	if got := kinds(); len(got) != 3 {
		t.Errorf("got %d hashes computed for 3 failures", len(got))
	}
	for _, service := range []string{"imap", "pop3", "smtp"} {
		for _, password := range []string{"secret", "wrong"} {
			if got := ask(service, "ann", password); got != first {
				t.Errorf("%s, %s: got %q, want %q", service, password, got, first)
			}
		}
	}
	if got := kinds(); len(got) != 0 {
		t.Errorf("got the hashes %q computed for guarded logins, want none", got)
	}
	if _, err := c.Login(t.Context(), credentials("bob", "secret")); err != nil {
		t.Errorf("somebody else from elsewhere: got %v", err)
	}
}

// TestGuardAgainstABurst: logins that arrive together do not get more guesses
// than those that come one by one, but for those on other workers.
func TestGuardAgainstABurst(t *testing.T) {
	svc, c, kinds := loginSite(t, "auth-failures 3\nauth-workers 1\n")
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { svc.pool.do(context.Background(), netip.Prefix{}, func() { close(held); <-hold }) })
	<-held
	var answered atomic.Int32
	for i := range 12 {
		wg.Go(func() {
			if _, err := c.Login(t.Context(), credentials("ann", fmt.Sprint("guess", i))); outcome(err) == wrong {
				answered.Add(1)
			}
		})
	}
	deadline := time.Now().Add(20 * time.Second)
	for waiting := 0; waiting < 12; runtime.Gosched() { // all of them wait for their turn
		svc.pool.mu.Lock()
		waiting = svc.pool.byClient[network(home)]
		svc.pool.mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatalf("got %d logins waiting, want 12", waiting)
		}
	}
	close(hold)
	wg.Wait()
	if got := kinds(); len(got) != 3 || answered.Load() != 12 {
		t.Errorf("got %d hashes computed and %d answers, want 3 and 12", len(got), answered.Load())
	}
}

func TestPoolBounds(t *testing.T) {
	p := newPool(2)
	most := 2 * (1 + queuePerWorker)
	n := 0
	for i := 0; p.enter(prefix(fmt.Sprintf("192.0.2.%d", i%8))); i++ {
		n++
	}
	if n != most {
		t.Errorf("got room for %d logins, want %d", n, most)
	}
	if err := p.do(t.Context(), prefix("198.51.100.1"), func() { t.Error("it ran") }); err != errBusy {
		t.Errorf("full: got %v, want %v", err, errBusy)
	}
	p.leave(prefix("192.0.2.1"))
	ran := false
	if err := p.do(t.Context(), prefix("198.51.100.1"), func() { ran = true }); err != nil || !ran {
		t.Errorf("with room: got %v, ran %v", err, ran)
	}
}

func TestPoolGivesUp(t *testing.T) {
	p := newPool(1)
	hold, held, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() { defer close(done); p.do(context.Background(), netip.Prefix{}, func() { close(held); <-hold }) }()
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.do(ctx, prefix("192.0.2.1"), func() { t.Error("it ran") }); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	close(hold)
	<-done
	if p.inside != 0 || len(p.byClient) != 0 {
		t.Errorf("got %d inside of %v, want the pool empty", p.inside, p.byClient)
	}
}

func TestVerified(t *testing.T) {
	v := newVerified()
	now := time.Now()
	v.now = func() time.Time { return now }
	v.add("ann", "hash", "secret")
	for _, tc := range []struct {
		user, stored, password string
		want                   bool
	}{{"ann", "hash", "secret", true}, {"ann", "hash2", "secret", false}, {"ann", "hash", "secre", false}, {"bob", "hash", "secret", false}, {"an", "nhash", "secret", false}} {
		if got := v.has(tc.user, tc.stored, tc.password); got != tc.want {
			t.Errorf("%+v: got %v", tc, got)
		}
	}
	now = now.Add(verifiedLife)
	if v.has("ann", "hash", "secret") {
		t.Error("got it remembered when its time was over")
	}
	for i := range verifiedMax + 10 {
		v.add(fmt.Sprint(i), "hash", "secret")
	}
	if len(v.good.entries) != verifiedMax {
		t.Errorf("got %d remembered, want %d", len(v.good.entries), verifiedMax)
	}
	if strings.Contains(fmt.Sprint(v.good.entries), "secret") {
		t.Error("got a password in memory")
	}
}
