// Package calm gives memory back to the kernel when a process has become quiet:
// what a burst took would otherwise lie with a daemon that has nothing to do, and
// so nothing to collect.
package calm

import (
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Limits of a Watch.
const (
	quiet = 3 * time.Second // without a Stir
	worth = 1 << 20         // bytes allocated since the last time, else it is not worth a collection
)

// Watch notices that nothing happens any more. The zero value is one. It is safe
// for concurrent use.
type Watch struct {
	stirred atomic.Bool
	armed   atomic.Bool // a look is due
	before  uint64      // bytes allocated when memory was given back last; of look alone
}

// Stir notes that something happens. It costs next to nothing.
func (w *Watch) Stir() {
	if w.stirred.Load() {
		return
	}
	w.stirred.Store(true)
	w.arm()
}

// arm has look called once.
func (w *Watch) arm() {
	if w.armed.CompareAndSwap(false, true) {
		time.AfterFunc(quiet, w.look)
	}
}

// look gives memory back when nothing happened since the last look.
func (w *Watch) look() {
	if w.calm(allocated()) {
		debug.FreeOSMemory()
	}
}

// calm tells whether it is time to give memory back, with so many bytes allocated
// since the process began, and sees to the next look otherwise.
func (w *Watch) calm(allocated uint64) bool {
	moved := w.stirred.Swap(false)
	if moved {
		time.AfterFunc(quiet, w.look)
		return false
	}
	before := w.before
	if allocated-before >= worth {
		w.before = allocated
	}
	w.armed.Store(false)
	if w.stirred.Load() { // between the two lines above
		w.arm()
	}
	return allocated-before >= worth
}

// allocated returns how many bytes the process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
