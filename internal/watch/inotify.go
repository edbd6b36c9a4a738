// Package watch tells of changes in folders: Watcher by inotify, Poller by looking where
// that cannot be had.
package watch

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Watcher is one inotify instance, whose folders have keys. A process should have few: the
// kernel gives a user 128 as a rule. It is safe for concurrent use.
type Watcher[K comparable] struct {
	fd    int
	set   *bell
	pause time.Duration
	told  func(f K, mask uint32, name string)

	mu      sync.Mutex
	closed  bool
	folders map[int32]K
	watches map[K]int32
	stop    chan struct{}
	done    chan struct{}
}

// New starts reading events, with a pause behind each reading in which the kernel gathers
// what comes. told is called for each, by one goroutine, for all folders with mask
// IN_Q_OVERFLOW when some were lost. The caller closes it.
func New[K comparable](pause time.Duration, told func(K, uint32, string)) (*Watcher[K], error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	set, err := newBell(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	w := &Watcher[K]{
		fd: fd, set: set, pause: pause, told: told,
		folders: make(map[int32]K), watches: make(map[K]int32),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// Close ends the watching; told is not called any more when it returns.
func (w *Watcher[K]) Close() {
	close(w.stop)
	w.set.close()
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	unix.Close(w.fd)
}

// Add watches the folder that dirfd has open, for f, until Remove. Errors are the kernel's:
// ENOSPC when a user has too many watches.
func (w *Watcher[K]) Add(f K, dirfd int, mask uint32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return os.ErrClosed
	}
	wd, err := unix.InotifyAddWatch(w.fd, "/proc/self/fd/"+strconv.Itoa(dirfd), mask)
	if err == nil {
		w.folders[int32(wd)], w.watches[f] = f, int32(wd)
	}
	return err
}

// Remove ends the watching of f.
func (w *Watcher[K]) Remove(f K) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wd, ok := w.watches[f]
	if !ok || w.closed {
		return
	}
	delete(w.watches, f)
	delete(w.folders, wd)
	// An error means that the kernel has ended the watch already.
	_, _ = unix.InotifyRmWatch(w.fd, uint32(wd))
}

// Len returns how many folders are watched.
func (w *Watcher[K]) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.folders)
}

// run reads events until the instance is closed.
func (w *Watcher[K]) run() {
	defer close(w.done)
	buf := make([]byte, 64<<10)
	for w.set.wait() == nil {
		n, _ := unix.Read(w.fd, buf) // what could not be read is read next
		w.events(buf[:max(n, 0)])
		select {
		case <-w.stop:
			return
		case <-time.After(w.pause): // the kernel's queue gathers what comes meanwhile
		}
	}
}

func (w *Watcher[K]) events(b []byte) {
	for len(b) >= unix.SizeofInotifyEvent {
		e := (*unix.InotifyEvent)(unsafe.Pointer(&b[0]))
		end := min(unix.SizeofInotifyEvent+int(e.Len), len(b))
		name := b[unix.SizeofInotifyEvent:end]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		w.event(e.Wd, e.Mask, string(name))
		b = b[end:]
	}
}

func (w *Watcher[K]) event(wd int32, mask uint32, name string) {
	w.mu.Lock()
	var to []K
	if mask&unix.IN_Q_OVERFLOW != 0 {
		for _, f := range w.folders {
			to = append(to, f)
		}
	} else if f, ok := w.folders[wd]; ok {
		to = append(to, f)
	}
	w.mu.Unlock()
	for _, f := range to {
		w.told(f, mask, name)
	}
}
