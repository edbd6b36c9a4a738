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
	quiet = time.Second // without a Stir
	worth = 1 << 20     // bytes allocated since the last time, else it is not worth a collection
	share = 8           // nor if it is less than this part of what the process holds
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
	if w.calm(heap()) {
		debug.FreeOSMemory()
	}
}

// calm tells whether it is time to give memory back, with so many bytes allocated
// since the process began and held now, and sees to the next look otherwise.
func (w *Watch) calm(allocated, held uint64) bool {
	moved := w.stirred.Swap(false)
	if moved {
		time.AfterFunc(quiet, w.look)
		return false
	}
	is := allocated-w.before >= max(worth, held/share)
	if is {
		w.before = allocated
	}
	w.armed.Store(false)
	if w.stirred.Load() { // between the two lines above
		w.arm()
	}
	return is
}

// heap returns how many bytes the process has allocated so far, and how many of
// them it still holds or has not looked through yet.
func heap() (allocated, held uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return 0, 0
		}
	}
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}
