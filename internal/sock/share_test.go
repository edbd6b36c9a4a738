package sock

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/evlog"
)

func TestShares(t *testing.T) {
	for _, c := range []struct {
		name  string
		allow []int
		most  int
	}{
		{"own uid", nil, maxConns}, {"one", []int{7}, maxConns}, {"one twice", []int{7, 7}, maxConns}, {"two", []int{7, 8, 7}, maxShare},
	} {
		s := newShares(c.allow, false)
		n := 0
		for s.enter(7) {
			n++
		}
		if n != c.most {
			t.Errorf("%s: got %d places, want %d", c.name, n, c.most)
		}
		if !s.enter(8) {
			t.Errorf("%s: a full uid left another no place", c.name)
		}
		s.leave(7)
		if !s.enter(7) {
			t.Errorf("%s: a place that was left was not given again", c.name)
		}
	}
}

// lines is a log to be read while it is written.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestOneUidDoesNotFillTheSocket: beyond its share a uid is sent away and the
// log says so; what it gives back it can have again.
func TestOneUidDoesNotFillTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	log := new(lines)
	serve(t, path, &Server{Allow: []int{os.Geteuid(), os.Geteuid() + 1}, Log: evlog.New(log)})
	ask := func() (*attr.Conn, error) {
		nc, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		c := attr.NewConn(nc.(*net.UnixConn))
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if err = c.Write(attr.List{{Name: "proto", Value: proto}}, nil); err == nil {
			_, _, err = c.Read()
		}
		if err != nil {
			c.Close()
		}
		return c, err
	}
	var first *attr.Conn
	for i := range maxShare {
		c, err := ask()
		if err != nil {
			t.Fatalf("connection %d: %v", i+1, err)
		}
		defer c.Close()
		if first == nil {
			first = c
		}
	}
	if _, err := ask(); err == nil {
		t.Fatalf("connection %d of one uid was served", maxShare+1)
	}
	if want := "peer-limited socket=test "; !strings.Contains(log.String(), want) {
		t.Errorf("got the log %q, want %q in it", log, want)
	}
	first.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := ask()
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after one has left: %v", err)
		}
	}
}

func TestStrangersHaveFewPlaces(t *testing.T) {
	s := newShares(nil, true)
	for range strangers {
		if !s.enter(1000) {
			t.Fatal("got none of the places of a uid")
		}
	}
	if s.enter(1000) || !s.enter(1001) {
		t.Errorf("want %d places for each uid", strangers)
	}
}
