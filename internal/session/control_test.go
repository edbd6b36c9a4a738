package session

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
)

// control returns a client of a control socket with the requests of in.
func (in *instance) control(t *testing.T) *sock.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.sock")
	l, err := sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	s := &sock.Server{Name: "control", Proto: "posthorn-control/1", Log: evlog.New(io.Discard)}
	s.Handle = func(ctx context.Context, _ sock.Peer, req attr.List, _ *os.File) (attr.List, *os.File) {
		if req.Get("request") == requestKick {
			return in.kick(ctx, req), nil
		}
		return in.who(ctx, req), nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(ctx, l) }()
	c := &sock.Client{Path: path, Proto: "posthorn-control/1"}
	t.Cleanup(func() { c.Close(); cancel(); <-done })
	return c
}

// awaitGuest asks until the session id is as ok wants it.
func awaitGuest(t *testing.T, c *sock.Client, id string, ok func(Guest) bool) Guest {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		all, err := Who(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(g Guest) bool { return g.ID == id })
		if i >= 0 && ok(all[i]) {
			return all[i]
		}
		if time.Now().After(end) {
			t.Fatalf("got %+v, want another state of %s", all, id)
		}
	}
}

func TestWhoAndKick(t *testing.T) {
	in := start(t, 0, 0)
	c := in.control(t)
	if all, err := Who(t.Context(), c); len(all) > 0 || err != nil {
		t.Errorf("got %v, %v, want nobody", all, err)
	}
	ann, _ := in.handOver(t, request("sid", "s1"))
	parked, _ := in.handOver(t, request("sid", "s2"))
	bob, _ := in.handOver(t, request("sid", "s3", "ticket", "bob"))
	r := bufio.NewReader(parked)
	want(t, r, "a1 OK")
	io.WriteString(parked, "long\r\n")
	want(t, r, "long")
	g := awaitGuest(t, c, "s2", func(g Guest) bool { return !g.Active })
	if g.User != "ann@example.org" || g.Service != "imap" || g.Client != "192.0.2.1" || !g.TLS || g.Folder != "a?b" ||
		time.Since(g.Since) > limit || g.Last.Before(g.Since) {
		t.Errorf("got %+v", g)
	}
	for _, tc := range []struct {
		ids, users []string
		want       int
	}{
		{ids: []string{"s9"}, users: []string{"nobody@example.org"}},
		{ids: []string{"s3"}, want: 1},
		{users: []string{"ann@example.org"}, want: 2},
	} {
		if n, err := Kick(t.Context(), c, tc.ids, tc.users); n != tc.want || err != nil {
			t.Errorf("kick %v %v: got %d, %v, want %d", tc.ids, tc.users, n, err, tc.want)
		}
		in.waitFor(t, 3-tc.want*(tc.want+1)/2)
	}
	if _, err := Kick(t.Context(), c, nil, nil); err == nil {
		t.Error("kick of nobody: got nil, want an error")
	}
	want(t, r, "kicked")
	for _, conn := range []io.Reader{ann, bob} {
		if said, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(said), "kicked\r\n") {
			t.Errorf("got %q, %v, want to be told", said, err)
		}
	}
	if log := in.log.String(); strings.Count(log, "session-kicked") != 3 {
		t.Errorf("log: got %s", log)
	}
}

// TestWhoInPages: all sessions are listed once, however many there are.
func TestWhoInPages(t *testing.T) {
	in := start(t, 0, 0)
	const n = 2*maxPage + 3
	in.mu.Lock()
	for i := range n {
		in.conns[&Conn{SID: fmt.Sprintf("s%05d", i), User: "u", Service: "imap"}] = struct{}{}
	}
	in.mu.Unlock()
	all, err := Who(t.Context(), in.control(t))
	if err != nil || len(all) != n || !slices.IsSortedFunc(all, func(a, b Guest) int { return strings.Compare(a.ID, b.ID) }) {
		t.Errorf("got %d sessions, %v, want %d in order", len(all), err, n)
	}
	in.mu.Lock()
	clear(in.conns)
	in.mu.Unlock()
}

// TestWhoAsksChildren: the sessions of system users are in processes of their
// own.
func TestWhoAsksChildren(t *testing.T) {
	in := family(t)
	c := in.control(t)
	conns := map[string]io.Reader{}
	for _, name := range []string{"ann", "bob"} {
		conn, reply := in.handOver(t, request("ticket", name, "sid", name))
		if reply.Get("verdict") != "done" {
			t.Fatalf("%s: got %v", name, reply)
		}
		conns[name] = conn
		awaitGuest(t, c, name, func(g Guest) bool { return g.User == name && !g.Active })
	}
	if all, err := Who(t.Context(), c); len(all) != 2 || err != nil {
		t.Errorf("got %v, %v, want two", all, err)
	}
	if n, err := Kick(t.Context(), c, []string{"ann"}, nil); n != 1 || err != nil {
		t.Errorf("kick: got %d, %v, want 1", n, err)
	}
	if _, err := io.ReadAll(conns["ann"]); err != nil {
		t.Error(err)
	}
	if n, err := Kick(t.Context(), c, nil, []string{"ann", "bob"}); n < 1 || err != nil {
		t.Errorf("kick: got %d, %v, want bob's", n, err)
	}
}
