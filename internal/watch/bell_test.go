package watch

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestBell: what comes while nobody waits does not ring, and is not lost.
func TestBell(t *testing.T) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	b, err := newBell(ends[0])
	if err != nil {
		t.Fatal(err)
	}
	write := func() {
		t.Helper()
		if _, err := unix.Write(ends[1], []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		write()
		if err := b.wait(); err != nil {
			t.Fatal(err)
		}
		write()
		var n int
		err := b.raw.Control(func(set uintptr) {
			n, err = unix.Poll([]unix.PollFd{{Fd: int32(set), Events: unix.POLLIN}}, 0)
		})
		if n != 0 || err != nil {
			t.Errorf("nobody waits: got %d, %v, want no ring", n, err)
		}
	}
	waits := make(chan error)
	go func() {
		var buf [64]byte
		unix.Read(ends[0], buf[:])
		for {
			if err := b.wait(); err != nil {
				waits <- err
				return
			}
			unix.Read(ends[0], buf[:])
		}
	}()
	b.close()
	if err := <-waits; err == nil {
		t.Error("closed: got no error")
	}
}
