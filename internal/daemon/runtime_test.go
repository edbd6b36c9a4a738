package daemon

import (
	"runtime"
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
