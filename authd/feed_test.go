package main

import (
	"os"
	"strings"
	"testing"

	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// feed asks for what tickets of a service grant.
func feed(t *testing.T, svc *service, service string) (*os.File, verdict.Verdict) {
	t.Helper()
	answer, f := svc.handle(t.Context(), sock.Peer{UID: svc.peers.redeem[0]}, attr.List{{Name: "request", Value: "grants"}, {Name: "service", Value: service}}, nil)
	if f != nil {
		t.Cleanup(func() { f.Close() })
	}
	v, err := sock.Verdict(answer)
	if err != nil {
		t.Fatal(err)
	}
	return f, v
}

// heard reads one packet.
func heard(t *testing.T, f *os.File) attr.List {
	t.Helper()
	p := make([]byte, directory.MaxPacket)
	n, err := f.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	l, err := attr.Parse(p[:n])
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestFeed: what is said of a ticket is all that redeeming it would say, and it
// cannot be redeemed as well.
func TestFeed(t *testing.T) {
	svc, c, _ := loginSite(t, "")
	login := func(service string) string {
		cr := credentials("own", "secret")
		cr.Service = service
		l, err := c.Login(t.Context(), cr)
		if err != nil {
			t.Fatal(err)
		}
		return l.Ticket
	}
	redeem := func(name, ticket, service string, want bool) {
		t.Helper()
		if _, err := c.Redeem(t.Context(), ticket, service); err == nil != want {
			t.Errorf("redeem, %s: got %v, want done %v", name, err, want)
		}
	}
	one, v := feed(t, svc, "imap")
	if v.Kind != verdict.Done {
		t.Fatalf("got %v, want done", v)
	}
	ticket := login("imap")
	got := heard(t, one)
	redeem("said", ticket, "imap", false)
	for name, want := range map[string]string{"ticket": ticket, "verdict": "done", "user": "own@example.org", "uid": "1001", "gid": "1002", "client": "192.0.2.1",
		"box": "own@example.org", "mail": "/home/own/Mail", "groups": "staff,sales", "imap-off": "COMPRESS=DEFLATE,IDLE", "quota": "bytes=1048576:messages=0:mailboxes=0"} {
		if got.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.Get(name), want)
		}
	}
	redeem("of another service", login("pop3"), "pop3", true)
	two, _ := feed(t, svc, "imap")
	if n, err := one.Read(make([]byte, 1)); n != 0 {
		t.Errorf("the feed before: got %d bytes, %v, want its end", n, err)
	}
	ticket = login("imap")
	if got := heard(t, two); got.Get("ticket") != ticket {
		t.Errorf("a second feed: got %v, want %s", got, ticket)
	}
	full := false
	for i := 0; i < 5000 && !full; i++ { // nobody listens
		_, err := c.Redeem(t.Context(), login("imap"), "imap")
		full = err == nil
	}
	if !full {
		t.Error("a feed without room: no ticket can be redeemed")
	}
	two.Close()
	redeem("when nobody listens any more", login("imap"), "imap", true)
}

// TestFeedRefused: who has no sessions gets none.
func TestFeedRefused(t *testing.T) {
	svc, _, _ := loginSite(t, "")
	for _, name := range []string{"smtp", "", "x"} {
		if f, v := feed(t, svc, name); f != nil || v.Status != "5.5.4" {
			t.Errorf("service %q: got %v, want never 5.5.4", name, v)
		}
	}
	svc.system = newSystem("/bin/false", 1000)
	if f, v := feed(t, svc, "imap"); f != nil || v.Status != "5.5.4" {
		t.Errorf("with system users: got %v, want never 5.5.4", v)
	}
}

// TestFeedOfTheClient is both ends.
func TestFeedOfTheClient(t *testing.T) {
	svc, c, _ := loginSite(t, "ticket-life 2s\n")
	f := c.Feed("imap")
	defer f.Close()
	if _, err := f.Redeem(t.Context(), strings.Repeat("0", 32), "imap"); outcome(err) != "later 4.7.0 login took too long, begin again" {
		t.Errorf("a ticket that was never issued: got %v", err)
	}
	var tickets []string
	for range 3 {
		l, err := c.Login(t.Context(), credentials("ann", "secret"))
		if err != nil {
			t.Fatal(err)
		}
		tickets = append(tickets, l.Ticket)
	}
	if n := len(svc.tickets.open); n != 0 {
		t.Errorf("got %d tickets to redeem, want all said", n)
	}
	for _, i := range []int{2, 0, 1} { // in any order
		g, err := f.Redeem(t.Context(), tickets[i], "imap")
		if err != nil || g.User != "ann@example.org" || g.Box.Name != g.User || g.Client != home {
			t.Errorf("ticket %d: got %+v, %v, want ann's", i, g, err)
		}
		if _, err := f.Redeem(t.Context(), tickets[i], "imap"); err == nil {
			t.Errorf("ticket %d again: got no error", i)
		}
	}
}
