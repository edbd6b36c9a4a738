package sock

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/evlog"
	"posthorn/internal/verdict"
)

const proto = "posthorn-test/1"

// serve starts a server that answers n=<request's n> until the test ends, and
// returns its path and how to stop it.
func serve(t *testing.T, path string, s *Server) (stop func()) {
	t.Helper()
	l, err := Listen(path, Options{Mode: 0o660, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.Name, s.Proto = "test", proto
	if s.Log == nil {
		s.Log = evlog.New(io.Discard)
	}
	if s.Handle == nil {
		s.Handle = func(_ context.Context, _ Peer, req attr.List, f *os.File) (attr.List, *os.File) {
			answer := Reply(verdict.Of(nil))
			answer.Add("n", req.Get("n"))
			return answer, f
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Serve: %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("Serve did not return")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func TestRequestsAndAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	serve(t, path, &Server{})
	c := &Client{Path: path, Proto: proto, Peers: []int{os.Geteuid()}}
	defer c.Close()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 3 {
		l, back, err := c.DoFile(t.Context(), attr.List{{Name: "n", Value: "7"}}, f)
		if err != nil || l.Get("n") != "7" || back == nil {
			t.Fatalf("got %v, %v, %v", l, back, err)
		}
		back.Close()
		if v, err := Verdict(l); err != nil || v.Kind != verdict.Done {
			t.Errorf("verdict: got %v, %v", v, err)
		}
	}
	if len(c.idle) != 1 {
		t.Errorf("got %d idle connections, want the one used again", len(c.idle))
	}
}

func TestClientOutlivesServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	c := &Client{Path: path, Proto: proto}
	defer c.Close()
	for range 3 {
		stop := serve(t, path, &Server{})
		if _, err := c.Do(t.Context(), nil, nil); err != nil {
			t.Errorf("after a restart: %v", err)
		}
		stop()
	}
	if _, err := c.Do(t.Context(), nil, nil); err == nil {
		t.Error("no server: got no error")
	}
}

func TestRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	var log strings.Builder
	serve(t, path, &Server{Allow: []int{os.Geteuid() + 1}, Log: evlog.New(&log)})
	c := &Client{Path: path, Proto: proto}
	if _, err := c.Do(t.Context(), nil, nil); err == nil {
		t.Error("a uid that is not allowed got an answer")
	}

	path = filepath.Join(t.TempDir(), "s.sock")
	serve(t, path, &Server{})
	wrong := &Client{Path: path, Proto: "posthorn-test/2"}
	l, err := wrong.Do(t.Context(), nil, nil)
	if v, verr := Verdict(l); err != nil || verr != nil || v.Kind != verdict.Later {
		t.Errorf("another version: got %v, %v, want later", l, err)
	}
	picky := &Client{Path: path, Proto: proto, Peers: []int{os.Geteuid() + 1}}
	if _, err := picky.Do(t.Context(), nil, nil); err == nil {
		t.Error("a server with a foreign uid was spoken to")
	}
}

func TestGarbageEndsOnlyItsConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	serve(t, path, &Server{})
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	go nc.Write([]byte(strings.Repeat("x", 1<<20)))
	nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	io.ReadAll(nc)
	c := &Client{Path: path, Proto: proto}
	if _, err := c.Do(t.Context(), nil, nil); err != nil {
		t.Errorf("the next client: %v", err)
	}
}

func TestCrashEndsOnlyItsConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	serve(t, path, &Server{Handle: func(_ context.Context, _ Peer, req attr.List, _ *os.File) (attr.List, *os.File) {
		if req.Get("n") == "bug" {
			panic("a bug")
		}
		return Reply(verdict.Of(nil)), nil
	}})
	c := &Client{Path: path, Proto: proto}
	if _, err := c.Do(t.Context(), attr.List{{Name: "n", Value: "bug"}}, nil); err == nil {
		t.Error("a crash was answered")
	}
	if _, err := c.Do(t.Context(), nil, nil); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

func TestClientGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	release := make(chan struct{})
	serve(t, path, &Server{Handle: func(context.Context, Peer, attr.List, *os.File) (attr.List, *os.File) {
		<-release
		return Reply(verdict.Of(nil)), nil
	}})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &Client{Path: path, Proto: proto}
	if _, err := c.Do(ctx, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestListenTakesOverOnlyFromTheDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := Listen(path, Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, %v, want 0600", fi, err)
	}
	if _, err := Listen(path, Options{Mode: 0o600, UID: -1, GID: -1}); !errors.Is(err, ErrBusy) {
		t.Errorf("second server: got %v, want %v", err, ErrBusy)
	}
	l.Close()
	l2, err := Listen(path, Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatalf("after the first died: %v", err)
	}
	l2.Close()
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestListenSparesAFullServer: a server that does not keep up is no dead one.
func TestListenSparesAFullServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		c, err := net.Dial("unix", path)
		if err != nil {
			break
		}
		defer c.Close()
	}
	if l, err := Listen(path, Options{Mode: 0o600, UID: -1, GID: -1}); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, %v, want %v", l, err, ErrBusy)
	}
}

// TestHalfARequest: a peer may be silent between requests, not within one.
func TestHalfARequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	serve(t, path, &Server{Timeout: time.Millisecond})
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	nc.Write([]byte("proto=" + proto + "\n"))
	if rest, err := io.ReadAll(nc); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v, want the end", rest, err)
	}
}

// TestBadRequestSparesThePool: what no list can hold is not tried on one pooled
// connection after the other.
func TestBadRequestSparesThePool(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	var both sync.WaitGroup
	both.Add(2)
	serve(t, path, &Server{Handle: func(_ context.Context, _ Peer, req attr.List, _ *os.File) (attr.List, *os.File) {
		both.Done()
		both.Wait()
		return Reply(verdict.Of(nil)), nil
	}})
	c := &Client{Path: path, Proto: proto}
	defer c.Close()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { c.Do(t.Context(), nil, nil) })
	}
	wg.Wait()
	if _, err := c.Do(t.Context(), attr.List{{Name: "n", Value: "a\nb"}}, nil); err == nil {
		t.Error("a value of two lines: got nil, want an error")
	}
	if len(c.idle) != 1 {
		t.Errorf("got %d pooled connections, want the other one left", len(c.idle))
	}
}

func TestGroups(t *testing.T) {
	l := attr.List{{Name: "verdict", Value: "done"}, {Name: "box", Value: "a"}, {Name: "x", Value: "1"}, {Name: "box", Value: "b"}}
	want := []attr.List{l[1:3], l[3:]}
	if got := Groups(l, "box"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Groups(l, "none"); got != nil {
		t.Errorf("no group: got %v", got)
	}
}

// TestPoolShrinks to a few connections once a burst is over.
func TestPoolShrinks(t *testing.T) {
	const burst = 8
	path := filepath.Join(t.TempDir(), "s.sock")
	var inside sync.WaitGroup
	inside.Add(burst)
	serve(t, path, &Server{Handle: func(context.Context, Peer, attr.List, *os.File) (attr.List, *os.File) {
		inside.Done()
		inside.Wait() // until all are there, each on a connection of its own
		return Reply(verdict.Of(nil)), nil
	}})
	c := &Client{Path: path, Proto: proto}
	defer c.Close()
	var asked sync.WaitGroup
	for range burst {
		asked.Go(func() {
			if _, err := c.Do(context.Background(), attr.List{{Name: "n", Value: "1"}}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	asked.Wait()
	c.mu.Lock()
	last := c.idle[len(c.idle)-1].since
	c.mu.Unlock()
	c.shrink(last.Add(-restless)) // all were used since
	c.shrink(last.Add(restless))
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) != fewIdle || c.trim != nil {
		t.Errorf("got %d pooled connections, trimmed later: %v, want %d, false", len(c.idle), c.trim != nil, fewIdle)
	}
}
