package session

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// TestReturnFails: who was not taken back is spoken with, and who may have been is not.
func TestReturnFails(t *testing.T) {
	over, end := context.WithCancel(context.Background())
	path := filepath.Join(t.TempDir(), "s")
	l, err := sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	s := &sock.Server{Name: "return", Proto: "posthorn-session/1", Log: evlog.New(io.Discard)}
	s.Handle = func(_ context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
		f.Close()
		if req.Get("sid") == "silent" {
			<-over.Done()
		}
		return sock.Reply(verdict.New(verdict.Later, "4.3.2", "no")), nil
	}
	wg.Go(func() { s.Serve(over, l) })
	t.Cleanup(func() { end(); wg.Wait() })

	for sid, want := range map[string]string{"refused": "bye", "silent": ""} {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
		c := &Conn{Stream: ours, SID: sid, back: &sock.Client{Path: path, Proto: "posthorn-session/1", Timeout: limit}}
		if sid == "silent" {
			c.back.Timeout = limit / 100
		}
		err = c.Return(nil)
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) != (sid == "silent") {
			t.Errorf("%s: got %v", sid, err)
		}
		io.WriteString(ours, "bye") // fails where the client is cut off
		ours.Close()
		theirs.SetReadDeadline(time.Now().Add(limit))
		if got, err := io.ReadAll(theirs); string(got) != want || err != nil {
			t.Errorf("%s: the client got %q, %v, want %q", sid, got, err, want)
		}
		theirs.Close()
		c.back.Close()
	}
}
