package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// How many verified passwords are remembered, and for how long.
const (
	verifiedMax  = 4096
	verifiedLife = time.Minute
)

// verified remembers passwords that were found right, for clients that open
// many connections. It holds sums under a random key that never leaves the
// process. The stored hash is part of a sum: with a new password the old one
// is worth nothing at once.
type verified struct {
	now func() time.Time

	mu   sync.Mutex
	key  [sha256.Size]byte
	good *bounded[[sha256.Size]byte, time.Time] // until when
}

func newVerified() *verified {
	v := &verified{now: time.Now, good: newBounded[[sha256.Size]byte, time.Time](verifiedMax)}
	rand.Read(v.key[:]) // never fails: the runtime ends the program instead
	return v
}

// sum depends on all of user, stored hash and password.
func (v *verified) sum(user, stored, password string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, v.key[:])
	for _, s := range []string{user, stored, password} {
		h.Write([]byte(s))
		h.Write([]byte{0}) // none of them holds one
	}
	h.Sum(sum[:0])
	return sum
}

// has reports whether add was called for the same not long ago.
func (v *verified) has(user, stored, password string) bool {
	sum := v.sum(user, stored, password)
	v.mu.Lock()
	defer v.mu.Unlock()
	until, ok := v.good.get(sum)
	return ok && v.now().Before(until)
}

// add notes that password matches stored.
func (v *verified) add(user, stored, password string) {
	sum := v.sum(user, stored, password)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.good.put(sum, v.now().Add(verifiedLife))
}
