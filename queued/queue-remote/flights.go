package main

import (
	"sync"

	"posthorn/internal/verdict"
)

// remembered is how many recipients who have their message are known at a time.
const remembered = 4096

// flights are the recipients of messages on their way, and the last of those who
// have theirs. A queued that was restarted asks again for what its predecessor
// asked for: to begin again while that runs, or after it has arrived, would
// deliver twice. It is safe for concurrent use.
type flights struct {
	mu    sync.Mutex
	set   map[string]bool
	done  map[string]recipient
	order []string // of the keys of done, a ring once it is full
	next  int      // the oldest of them then
}

func newFlights() *flights {
	return &flights{set: map[string]bool{}, done: map[string]recipient{}}
}

// begin is false when the recipient has the message or it is on its way already;
// earlier says what there is to say then. key is the id and the recipient.
func (f *flights) begin(key string) (earlier recipient, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, ok := f.done[key]; ok {
		return r, false
	}
	if f.set[key] {
		return recipient{verdict: verdict.New(verdict.Later, "4.3.0", "an earlier try is still under way"), final: true}, false
	}
	f.set[key] = true
	return recipient{}, true
}

// end is said once after a begin that was true, with what became of it.
func (f *flights) end(key string, r recipient) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.set, key)
	if r.verdict.Kind != verdict.Done {
		return
	}
	f.done[key] = r
	if len(f.order) < remembered {
		f.order = append(f.order, key)
		return
	}
	delete(f.done, f.order[f.next])
	f.order[f.next] = key
	f.next = (f.next + 1) % remembered
}
