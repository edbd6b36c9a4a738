package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTimerSlack(t *testing.T) {
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0); errno == syscall.ENOTSUP {
		t.Skip("needs a build without cgo")
	}
	tuneRuntime()
	slacks, done := make(chan int), make(chan bool)
	defer close(done)
	for range 10 { // threads of their own, old ones and new ones
		go func() {
			runtime.LockOSThread()
			ns, _ := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
			slacks <- ns
			<-done
		}()
	}
	for range 10 {
		if got, want := <-slacks, int(timerSlack); got != want {
			t.Errorf("a thread has a timer slack of %d ns, want %d", got, want)
		}
	}
}

// TestSpare: collections come later, and the memory is not there. A process has it so
// that takes it first of all, as this one's child does.
func TestSpare(t *testing.T) {
	const child = "POSTHORN_TEST_SPARE"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSpare$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	debug.SetGCPercent(gcPercent)
	was := resident(t)
	spare := Spare()
	if now := resident(t); now > was+spareHeap/2 {
		t.Errorf("got %d bytes more in memory, want none of %d", now-was, spareHeap)
	}
	runtime.GC()
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(goal)
	if got := goal[0].Value.Uint64(); got < spareHeap*3/2 {
		t.Errorf("got a collection at %d bytes, want it beyond %d", got, spareHeap*3/2)
	}
	runtime.KeepAlive(spare)
}

// resident returns how much memory the process has.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
