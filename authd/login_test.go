package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// Two kinds of cheap hashes of "secret".
const (
	md5Secret  = "{MD5-CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//"
	sha1Secret = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
)

const loginUsers = "ann:" + md5Secret + "\n" +
	"bob:" + md5Secret + "\n" +
	"old:" + sha1Secret + "\n" +
	"locked:!\n" +
	"empty:\n" +
	"closed:" + md5Secret + "::::::nologin\n" +
	"near:" + md5Secret + "::::::allow_nets=192.0.2.0/24\n" +
	"own:" + md5Secret + ":1001:1002::/home/own::userdb_mail=maildir:~/Mail userdb_quota_rule=*:storage=1M userdb_acl_groups=staff,sales imap_off=Compress=deflate,idle pop3=fetched=7d,uidl=%f\n"

var home = netip.MustParseAddr("192.0.2.1")

// credentials returns those of a login by IMAP.
func credentials(user, password string) directory.Credentials {
	return directory.Credentials{Service: "imap", User: user, Password: password, Client: home, TLS: true}
}

// loginSite returns a service without delay, a client of it, and the kinds of
// the hashes that it computes.
func loginSite(t *testing.T, extra string) (*service, *directory.Client, func() []string) {
	t.Helper()
	s := newSite(t, "auth-delay 0s\n"+extra, loginUsers, "")
	svc := s.service(t)
	var mu sync.Mutex
	var kinds []string
	svc.computed = func(kind string) {
		mu.Lock()
		defer mu.Unlock()
		kinds = append(kinds, kind)
	}
	return svc, s.serve(t, svc), func() []string {
		mu.Lock()
		defer mu.Unlock()
		got := kinds
		kinds = nil
		return got
	}
}

const wrong = "never 5.7.8 wrong user name or password"

// outcome writes an error as its verdict.
func outcome(err error) string {
	v := verdict.Of(err)
	return fmt.Sprint(v.Kind, " ", v.Status, " ", v.Text)
}

func TestLogin(t *testing.T) {
	_, c, kinds := loginSite(t, "auth-failures 100\n")
	for _, tc := range []struct{ name, user, password, client, want, kind string }{
		{"right", "ann", "secret", "192.0.2.1", "ann@example.org", "crypt-1"},
		{"right again: remembered", "ann@example.org", "secret", "192.0.2.1", "ann@example.org", ""},
		{"in capitals", "BOB@Example.ORG", "secret", "192.0.2.1", "bob@example.org", "crypt-1"},
		{"another kind", "old", "secret", "192.0.2.1", "old@example.org", "SHA"},
		{"from the right network", "near", "secret", "192.0.2.77", "near@example.org", "crypt-1"},
		{"wrong password", "ann", "Secret", "192.0.2.1", wrong, "crypt-1"},
		{"unknown user", "zoe", "secret", "192.0.2.1", wrong, "crypt-1"},
		{"unknown domain", "ann@remote.example", "secret", "192.0.2.1", wrong, "crypt-1"},
		{"locked", "locked", "secret", "192.0.2.1", wrong, "crypt-1"},
		{"locked, its mark", "locked", "!", "192.0.2.1", wrong, "crypt-1"},
		{"no hash", "empty", "x", "192.0.2.1", wrong, "crypt-1"},
		{"closed", "closed", "secret", "192.0.2.1", wrong, "crypt-1"},
		{"closed, asked again", "closed", "secret", "192.0.2.1", wrong, "crypt-1"},
		{"from another network", "near", "secret", "198.51.100.1", wrong, "crypt-1"},
		{"remembered from the right network only", "near", "secret", "2001:db8::1", wrong, "crypt-1"},
		{"empty password", "ann", "", "192.0.2.1", wrong, ""},
		{"control in the password", "ann", "secret\r", "192.0.2.1", wrong, ""},
		{"long password", "ann", strings.Repeat("x", 513), "192.0.2.1", wrong, ""},
		{"control in the name", "ann\x01", "secret", "192.0.2.1", wrong, ""},
		{"long name", strings.Repeat("x", 4000), "secret", "192.0.2.1", wrong, ""},
		{"path as a name", "../ann@example.org", "secret", "192.0.2.1", wrong, ""},
		{"empty name", "", "secret", "192.0.2.1", wrong, ""},
	} {
		cr := credentials(tc.user, tc.password)
		cr.Client = netip.MustParseAddr(tc.client)
		l, err := c.Login(t.Context(), cr)
		got := l.User
		if err != nil {
			got = outcome(err)
		} else if len(l.Ticket) != 32 {
			t.Errorf("%s: got the ticket %q, want 128 bits", tc.name, l.Ticket)
		}
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
		if got := strings.Join(kinds(), " "); got != tc.kind {
			t.Errorf("%s: got the hashes %q computed, want %q", tc.name, got, tc.kind)
		}
	}
}

// TestUnknownCostsTheSame counts hashes: whoever asks for users that there are
// and that there are not sees one computation of one kind each time, and one
// answer.
func TestUnknownCostsTheSame(t *testing.T) {
	svc, _, kinds := loginSite(t, "auth-failures 1000\n")
	var answers, computed []string
	for i := range 20 {
		for _, user := range []string{"ann", "bob", "locked", "empty", "closed", "near", fmt.Sprint("nobody", i), "x@remote.example"} {
			req := attr.List{{Name: "request", Value: "login"}, {Name: "service", Value: "imap"}, {Name: "user", Value: user},
				{Name: "password", Value: fmt.Sprint("guess", i)}, {Name: "client", Value: "192.0.2.1"}, {Name: "tls", Value: "yes"}}
			l, _ := svc.handle(t.Context(), sock.Peer{UID: svc.peers.login[0]}, req, nil)
			b, err := attr.Append(nil, l)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, string(b))
			computed = append(computed, strings.Join(kinds(), " "))
		}
	}
	slices.Sort(answers)
	if got := slices.Compact(answers); len(got) != 1 || !strings.Contains(got[0], "5.7.8") {
		t.Errorf("got %d different answers: %q, want one", len(got), got)
	}
	slices.Sort(computed)
	if got := slices.Compact(computed); len(got) != 1 || got[0] != "crypt-1" {
		t.Errorf("got the computations %q, want one of crypt-1 each", got)
	}
}

// TestNobodyAtAll: without users the usual kind is that of new passwords.
func TestNobodyAtAll(t *testing.T) {
	a, err := parseAccounts("users", nil, "example.org", 1000, 1)
	if err != nil || !strings.HasPrefix(a.usual.Kind(), "argon2id m=65536,t=3,p=1") {
		t.Errorf("got %v, %v", a.usual.Kind(), err)
	}
	a, err = parseAccounts("users", []byte("a:"+sha1Secret+"\nb:"+md5Secret+"\nc:"+sha1Secret+"\nd:!\ne:!\nf:!\n"), "example.org", 1000, 1)
	if err != nil || a.usual.Kind() != "SHA" {
		t.Errorf("got %v, %v, want the kind of two users", a.usual.Kind(), err)
	}
}

// TestChangedPassword: the old password, although remembered, is worth nothing
// once the table has another.
func TestChangedPassword(t *testing.T) {
	s := newSite(t, "auth-delay 0s\n", "ann:"+md5Secret+"\n", "")
	c := s.serve(t, s.service(t))
	if _, err := c.Login(t.Context(), credentials("ann", "secret")); err != nil {
		t.Fatal(err)
	}
	s.write(t, "users", "ann:{PLAIN}other\n")
	if l, err := c.Login(t.Context(), credentials("ann", "secret")); err == nil {
		t.Errorf("old password: got %v", l)
	}
	if _, err := c.Login(t.Context(), credentials("ann", "other")); err != nil {
		t.Errorf("new password: got %v", err)
	}
	s.write(t, "users", "bob:!\n")
	if l, err := c.Login(t.Context(), credentials("ann", "other")); err == nil {
		t.Errorf("removed user: got %v", l)
	}
}

func TestDelayIsTold(t *testing.T) {
	s := newSite(t, "auth-delay 30s\n", loginUsers, "")
	svc := s.service(t)
	for _, password := range []string{"wrong", "\x01", "secret"} {
		req := attr.List{{Name: "request", Value: "login"}, {Name: "service", Value: "smtp"}, {Name: "user", Value: "ann"}, {Name: "password", Value: password}}
		l, _ := svc.handle(t.Context(), sock.Peer{UID: svc.peers.login[0]}, req, nil)
		ms, err := l.Int("delay")
		if got := err == nil && ms > 0 && ms <= 30_000; got != (password != "secret") {
			t.Errorf("%q: got %v", password, l)
		}
	}
}

func TestRedeem(t *testing.T) {
	s := newSite(t, "ticket-life 10s\nquota 5G messages=9 mailboxes=7\n", loginUsers, "")
	svc := s.service(t)
	var mu sync.Mutex
	now := time.Now()
	svc.tickets.now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	c := s.serve(t, svc)
	ticket := func(user string) string {
		t.Helper()
		l, err := c.Login(t.Context(), credentials(user, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		return l.Ticket
	}
	one := ticket("own")
	g, err := c.Redeem(t.Context(), one, "imap")
	want := "{own@example.org {own@example.org 1001 1002 /home/own /home/own/Mail bytes=1048576:messages=0:mailboxes=7 {done 2.0.0 ok}} 192.0.2.1 COMPRESS=DEFLATE,IDLE staff,sales fetched=7d,uidl=%f}"
	if err == nil {
		g.Box.Verdict.Text = "ok"
	}
	if got := fmt.Sprint(g); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	const refused = "later 4.7.0 login took too long, begin again"
	redeem := func(name, ticket, service, want string) {
		t.Helper()
		g, err := c.Redeem(t.Context(), ticket, service)
		if got := outcome(err); got != want {
			t.Errorf("%s: got %s %v, want %s", name, got, g, want)
		}
	}
	redeem("used", one, "imap", refused)
	redeem("never issued", strings.Repeat("0", 32), "imap", refused)
	redeem("empty", "", "imap", refused)
	two := ticket("ann")
	redeem("of another service", two, "pop3", refused)
	redeem("shown to another service before", two, "imap", refused)
	three, four := ticket("ann"), ticket("ann")
	mu.Lock()
	now = now.Add(10*time.Second - 1)
	mu.Unlock()
	redeem("just in time", three, "imap", "done 2.0.0 ok")
	mu.Lock()
	now = now.Add(1)
	mu.Unlock()
	redeem("too late", four, "imap", refused)
	if l, err := c.Login(t.Context(), directory.Credentials{Service: "smtp", User: "ann", Password: "secret", Client: home}); err != nil || l.Ticket != "" {
		t.Errorf("smtp: got %v, %v, want no ticket", l, err)
	}
}

// TestOtherClient: who redeems may say which client it is for.
func TestOtherClient(t *testing.T) {
	svc, c, _ := loginSite(t, "")
	for client, want := range map[string]string{"192.0.2.1": "done", "192.0.2.2": "later"} {
		l, err := c.Login(t.Context(), credentials("ann", "secret"))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := svc.handle(t.Context(), sock.Peer{UID: svc.peers.redeem[0]}, attr.List{{Name: "request", Value: "redeem"},
			{Name: "ticket", Value: l.Ticket}, {Name: "service", Value: "imap"}, {Name: "client", Value: client}}, nil)
		if got.Get("verdict") != want {
			t.Errorf("%s: got %v, want %s", client, got, want)
		}
	}
}

func TestTicketsAreBounded(t *testing.T) {
	tickets := newTickets()
	now := time.Now()
	tickets.now = func() time.Time { return now }
	seen := map[string]bool{}
	for range ticketMax {
		secret := newSecret()
		err := tickets.put(secret, ticket{"imap", "ann", home, now.Add(time.Second)})
		if err != nil || seen[secret] {
			t.Fatalf("got %q, %v after %d tickets", secret, err, len(seen))
		}
		seen[secret] = true
	}
	if err := tickets.put(newSecret(), ticket{"imap", "ann", home, now.Add(time.Second)}); err == nil {
		t.Error("one more: got no error")
	}
	now = now.Add(time.Second)
	if err := tickets.put(newSecret(), ticket{"imap", "ann", home, now.Add(time.Second)}); err != nil || len(tickets.open) != 1 {
		t.Errorf("after the others are over: got %v and %d tickets", err, len(tickets.open))
	}
}

// TestPeers: who may ask for what.
func TestPeers(t *testing.T) {
	s := newSite(t, "", loginUsers, "")
	svc := s.service(t)
	svc.peers = peers{all: []int{1, 2, 3}, login: []int{1}, redeem: []int{2}}
	for uid, may := range map[int]string{1: "login resolve box maysend", 2: "redeem grants resolve box maysend", 3: "resolve box maysend"} {
		for _, request := range []string{"login", "redeem", "grants", "resolve", "box", "maysend", "dance"} {
			l, _ := svc.handle(t.Context(), sock.Peer{UID: uid}, attr.List{{Name: "request", Value: request}}, nil)
			refused := l.Get("status") == "5.5.1"
			if refused == strings.Contains(may, request) {
				t.Errorf("uid %d, %s: got %v", uid, request, l)
			}
		}
	}
}

func TestSystemLogin(t *testing.T) {
	s := newSite(t, "auth-delay 0s\n", "", "")
	svc := s.service(t)
	svc.system = newSystem("", 1000)
	svc.system.getent, _ = fakeGetent(map[string]string{
		"passwd carl": "carl:x:1003:1003:Carl:/home/carl:/bin/sh",
		"shadow carl": "carl:" + strings.TrimPrefix(md5Secret, "{MD5-CRYPT}") + ":19000:0:99999:7:::",
		"passwd dan":  "dan:x:1004:1004::/home/dan:/bin/sh",
		"shadow dan":  "dan:!:19000::::::",
		"passwd eve":  "eve:x:1005:1005::/home/eve:/bin/sh",
		"passwd busy": "fail",
	})
	c := s.serve(t, svc)
	for user, want := range map[string]string{"carl": "carl", "carl@example.net": "carl", "carl@remote.example": wrong, "dan": wrong, "eve": wrong,
		"busy": "later 4.7.0 login is not possible at present, try again later"} {
		l, err := c.Login(t.Context(), credentials(user, "secret"))
		got := l.User
		if err != nil {
			got = outcome(err)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", user, got, want)
		}
	}
}

// TestBusy: with all places and the queue taken a login is told to come back,
// and nothing is computed.
func TestBusy(t *testing.T) {
	svc, c, kinds := loginSite(t, "auth-workers 1\n")
	ctx, cancel := context.WithCancel(t.Context())
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { svc.pool.do(ctx, netip.Prefix{}, func() { close(held); <-hold }) })
	<-held
	for svc.pool.enter(network(home)) { // the client's share
	}
	if _, err := c.Login(t.Context(), credentials("ann", "secret")); outcome(err) != "later 4.7.0 login is not possible at present, try again later" {
		t.Errorf("got %v, want later", err)
	}
	if got := kinds(); len(got) != 0 {
		t.Errorf("got the hashes %q computed, want none", got)
	}
	close(hold)
	other := credentials("ann", "secret")
	other.Client = netip.MustParseAddr("198.51.100.1")
	if _, err := c.Login(t.Context(), other); err != nil {
		t.Errorf("another client: got %v, want its turn", err)
	}
}

// FuzzAttempt: what a login side passes on is what a stranger typed.
func FuzzAttempt(f *testing.F) {
	f.Add([]byte("service=imap\nuser=ann\npassword=secret\nclient=::ffff:192.0.2.1\ntls=yes\n\n"))
	f.Add([]byte("service=smtp\nuser=\"a b\"@x@y\npassword=\n\n"))
	f.Fuzz(func(t *testing.T, request []byte) {
		l, err := attr.Parse(request)
		if err != nil {
			return
		}
		a, err := parseAttempt(l, "example.org")
		if err != nil {
			return
		}
		if a.client.Is4In6() || a.network.IsValid() && !a.network.Contains(a.client.WithZone("")) {
			t.Errorf("got the client %v of %v", a.client, a.network)
		}
		if len(a.user) > addr.MaxPath || a.possible && a.user == "" {
			t.Errorf("got the user %q", a.user)
		}
	})
}
