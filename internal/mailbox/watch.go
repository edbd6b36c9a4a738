package mailbox

import (
	"iter"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// curPause is how often at most changes of cur/ are read: programs rename in
// bursts. What comes to new/ is told at once.
const curPause = 30 * time.Millisecond

// pollEvery is how often folders are looked at that the kernel does not watch
// for us.
const pollEvery = 2 * time.Second

// Events that can come from others. What we rename out of new/ ourselves is
// not worth an event.
const (
	newEvents = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE | unix.IN_ONLYDIR
	curEvents = newEvents | unix.IN_MOVED_FROM
)

// audience is the views of a folder, for telling them of changes.
type audience struct {
	mu    sync.Mutex
	views []*View // few, as a rule one
}

func (a *audience) enter(v *View) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.views = append(a.views, v)
}

// leave returns how many views are left.
func (a *audience) leave(v *View) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.views = slices.DeleteFunc(a.views, func(other *View) bool { return other == v })
	return len(a.views)
}

// empty reports whether there is no view.
func (a *audience) empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.views) == 0
}

// all yields the views.
func (a *audience) all() iter.Seq[*View] {
	a.mu.Lock()
	views := slices.Clone(a.views)
	a.mu.Unlock()
	return slices.Values(views)
}

// tell wakes all views but one.
func (a *audience) tell(except *View) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range a.views {
		if v != except && v.notify != nil {
			v.notify()
		}
	}
}

// notify sets whom a view tells.
func (a *audience) notify(v *View, told func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v.notify = told
}

// ledger holds the events in cur/ that our own changes will cause, so that
// they are told from those of others. It counts only while the folder is
// watched.
type ledger struct {
	mu      sync.Mutex
	on      bool
	pending map[string]int
}

// live reports whether the folder is watched.
func (l *ledger) live() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.on
}

// set turns the ledger on or off, and forgets what was expected.
func (l *ledger) set(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on, l.pending = on, nil
}

// add expects n more events of this key; n may be negative.
func (l *ledger) add(key string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on {
		return
	}
	if l.pending == nil {
		l.pending = make(map[string]int)
	}
	if l.pending[key] += n; l.pending[key] <= 0 {
		delete(l.pending, key)
	}
}

// own reports whether an event was expected, and counts it off.
func (l *ledger) own(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.pending[key]
	if n <= 1 {
		delete(l.pending, key)
	} else {
		l.pending[key] = n - 1
	}
	return n > 0
}

// expect enters the events in cur/ that a change will cause; undo takes them
// back when the change was not made.
func (f *folder) expect(fromDir int, from string, toDir int, to string) (undo func()) {
	leaves, comes := fromDir == f.cur, toDir == f.cur
	if leaves {
		f.ledger.add("-"+from, 1)
	}
	if comes {
		f.ledger.add("+"+to, 1)
	}
	return func() {
		if leaves {
			f.ledger.add("-"+from, -1)
		}
		if comes {
			f.ledger.add("+"+to, -1)
		}
	}
}

// toldNew wakes the sessions of a folder to which mail came.
func toldNew(f *folder, _ uint32, _ string) { f.audience.tell(nil) }

// toldCur tells changes of cur/ by others from our own.
func toldCur(f *folder, mask uint32, name string) {
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0:
		f.ledger.set(true)
	case mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0:
		if f.ledger.own("+" + name) {
			return
		}
	case mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) != 0:
		if f.ledger.own("-" + name) {
			return
		}
	}
	f.alarm.Store(true)
	f.audience.tell(nil)
}
