package directory

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// speaker is an authd that speaks on a feed and redeems nothing.
type speaker struct {
	t        *testing.T
	requests chan string
	refuses  bool
	ours     *os.File
}

// speak returns an authd and a feed of it.
func speak(t *testing.T) (*speaker, *Feed) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.sock")
	l, err := sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	s := &speaker{t: t, requests: make(chan string, 100)}
	server := &sock.Server{Name: "auth", Proto: Proto, Log: evlog.New(io.Discard), Handle: s.handle}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	c := New(path)
	f := c.Feed("imap")
	t.Cleanup(func() { f.Close(); c.Close(); cancel(); <-done })
	return s, f
}

func (s *speaker) handle(_ context.Context, _ sock.Peer, req attr.List, _ *os.File) (attr.List, *os.File) {
	s.requests <- req.Get("request")
	if req.Get("request") != "grants" || s.refuses {
		return sock.Reply(verdict.New(verdict.Never, "5.7.8", "no")), nil
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.t.Error(err)
	}
	s.ours = os.NewFile(uintptr(fds[0]), "ours")
	return sock.Reply(verdict.Of(nil)), os.NewFile(uintptr(fds[1]), "theirs")
}

// say speaks of a ticket.
func (s *speaker) say(ticket string, life time.Duration) {
	s.t.Helper()
	now, err := Clock()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(fmt.Sprintf("ticket=%s\nuntil=%d\nverdict=done\nstatus=2.0.0\ntext=ok\nuser=%[1]s\nbox=%[1]s\nuid=7\ngid=7\nhome=/h\nmail=/m\n\n", ticket, now+life))
}

func (s *speaker) write(packet string) {
	s.t.Helper()
	if _, err := s.ours.WriteString(packet); err != nil {
		s.t.Fatal(err)
	}
}

// redeem shows a ticket and says what authd was asked meanwhile.
func (s *speaker) redeem(f *Feed, ticket string) (user, asked string) {
	g, _ := f.Redeem(s.t.Context(), ticket, "imap")
	for len(s.requests) > 0 {
		asked += <-s.requests + " "
	}
	return g.User, asked
}

// TestFeedHears: what was said is good once and for its time, and nothing is asked.
func TestFeedHears(t *testing.T) {
	s, f := speak(t)
	check := func(name, ticket, user, asked string) {
		t.Helper()
		if gotUser, gotAsked := s.redeem(f, ticket); gotUser != user || gotAsked != asked {
			t.Errorf("%s: got %q, asked %q, want %q, asked %q", name, gotUser, gotAsked, user, asked)
		}
	}
	check("before anything was said", "x", "", "grants redeem ")
	for _, ticket := range []string{"a", "b", "c"} {
		s.say(ticket, time.Hour)
	}
	s.say("late", 0)
	s.write("garbage\n\n")
	s.write("ticket=no-time\n\n")
	s.say("d", time.Hour)
	check("the second", "b", "b", "")
	check("the second again", "b", "", "redeem ")
	check("the last", "d", "d", "")
	check("the first", "a", "a", "")
	check("one that is over", "late", "", "redeem ")
	check("one that has no time", "no-time", "", "redeem ")
	check("no ticket", "", "", "redeem ")
	s.say("e", time.Hour)
	s.ours.Close()
	check("said before the end", "e", "e", "")
	check("not shown before the end", "c", "c", "")
	check("behind the end", "f", "", "grants redeem ")
	s.say("g", time.Hour)
	check("of the next one", "g", "g", "")
	s.say("h", time.Hour)
	f.Close()
	check("after Close", "h", "", "redeem ")
}

// TestFeedForgets: what nobody shows goes when there is no room.
func TestFeedForgets(t *testing.T) {
	s, f := speak(t)
	s.redeem(f, "x")
	for i := range maxHeld {
		f.held[fmt.Sprint(i)] = held{}
	}
	s.say("a", time.Hour)
	if user, _ := s.redeem(f, "a"); user != "a" || len(f.held) != 0 {
		t.Errorf("got %q and %d tickets held, want a and none", user, len(f.held))
	}
}

// TestFeedRefused: who gets no feed does not ask again and again.
func TestFeedRefused(t *testing.T) {
	s, f := speak(t)
	s.refuses = true
	if _, asked := s.redeem(f, "x"); asked != "grants redeem " {
		t.Errorf("the first time: asked %q", asked)
	}
	if _, asked := s.redeem(f, "x"); asked != "redeem " {
		t.Errorf("the second time: asked %q", asked)
	}
}
