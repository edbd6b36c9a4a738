package daemon

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// gcPercent is half of Go's own. What a daemon works on at a time is small, so that
// its memory is what it lets lie until the next collection: two megabytes then,
// not four.
const gcPercent = 50

// timerSlack is how late the kernel may wake a thread that sleeps. Go's monitor
// thread sleeps for 20 microseconds many times after each request; with this it
// wakes together with others, if at all, and a third of all context switches are gone.
const timerSlack = time.Millisecond

// tuneRuntime sets what all daemons want of Go's runtime.
func tuneRuntime() {
	if os.Getenv("GOGC") == "" { // the administrator's word counts
		debug.SetGCPercent(gcPercent)
	}
	// Threads made later get it from those that make them. Without it all works as well.
	syscall.AllThreadsSyscall(syscall.SYS_PRCTL, unix.PR_SET_TIMERSLACK, uintptr(timerSlack), 0)
}

// spareHeap is what Spare returns. A process then collects when it has gathered half of
// this beside half of what it uses.
const spareHeap = 16 << 20

// Spare has the runtime believe that so much memory is used as long as the caller keeps
// what it returns, so that a small process collects after eight megabytes more. It is for
// daemons that work for long at a time and give memory back when they are quiet: where
// the first look at a mailbox collected after each two megabytes, that was a third of
// its work. Nobody touches this memory, and so the machine has none of
// it, if it is asked for before all else: what was used before would be cleared.
func Spare() []byte { return make([]byte, spareHeap) }

// FewProcessors leaves the Go code of this process a quarter of the processors, at
// least one, unless the environment says how many (GOMAXPROCS). It is for daemons
// whose requests are short and wait for others or for the disk: to wake a second
// thread costs more than such a request, and while a system call blocks and another
// processor is idle the runtime looks for its end every 20 microseconds. TLS
// handshakes are why large machines get more than one.
func FewProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/4))
	}
}
