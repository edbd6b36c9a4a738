package sock

import (
	"slices"
	"sync"
)

// Bounds of the connections to one socket; the clients pool theirs. A fourth
// leaves room for the others when all processes of one uid hold what they can.
const (
	maxConns  = 2048
	maxShare  = maxConns / 4
	strangers = 8 // of one uid where everybody may connect
)

// shares counts the connections of each uid, so that a process gone wild fills
// its own share and not the socket. It is safe for concurrent use.
type shares struct {
	most int // of one uid

	mu   sync.Mutex
	held map[int]int
}

// newShares returns the shares of the uids in allow. Where only one may connect,
// as in an ordinary user's instance, it has all places.
func newShares(allow []int, public bool) *shares {
	if public {
		return &shares{most: strangers, held: map[int]int{}}
	}
	most := maxShare
	if uids := slices.Compact(slices.Sorted(slices.Values(allow))); len(uids) <= 1 {
		most = maxConns
	}
	return &shares{most: most, held: map[int]int{}}
}

// enter takes a place for uid, or tells that its share is used up.
func (s *shares) enter(uid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[uid] >= s.most {
		return false
	}
	s.held[uid]++
	return true
}

// leave takes back enter.
func (s *shares) leave(uid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[uid]--; s.held[uid] == 0 {
		delete(s.held, uid)
	}
}
