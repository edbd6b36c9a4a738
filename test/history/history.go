// Package history draws random histories for tests that hold a system to a
// model of it: what a history is made of, and which ones are played.
package history

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Deed is a thing that can happen to an S, as often as its weight says.
type Deed[S any] struct {
	Name   string
	Weight int
	Do     func(S, *rand.Rand)
}

// Act is one thing that happens. What exactly, its own chance says, so that a
// history of which acts were left out still means something.
type Act[S any] struct {
	Deed[S]
	chance uint64
}

// Do does it.
func (a Act[S]) Do(s S) { a.Deed.Do(s, rand.New(rand.NewPCG(a.chance, 2))) }

// Draw draws so many acts, always the same ones for a seed.
func Draw[S any](deeds []Deed[S], seed uint64, length int) []Act[S] {
	r := rand.New(rand.NewPCG(seed, 1))
	total := 0
	for _, d := range deeds {
		total += d.Weight
	}
	acts := make([]Act[S], length)
	for i := range acts {
		n := r.IntN(total)
		for _, d := range deeds {
			if n -= d.Weight; n < 0 {
				acts[i] = Act[S]{d, r.Uint64()}
				break
			}
		}
	}
	return acts
}

// Pick draws one of from.
func Pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// Seeds returns what gives the seeds of the histories to play, until it says
// that there are no more or the test failed: always the same sample of them, or
// with POSTHORN_PROVE new ones for so long, or the one that the environment
// names in variable. Any goroutine may call it.
func Seeds(t *testing.T, variable string, sample uint64, proof time.Duration) func() (seed uint64, more bool) {
	t.Helper()
	if text := os.Getenv(variable); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s=%s: %v", variable, text, err)
		}
		return count(t, seed, func(n uint64) bool { return n < 1 })
	}
	if os.Getenv("POSTHORN_PROVE") == "" {
		return count(t, 1, func(n uint64) bool { return n < sample })
	}
	end := time.Now().Add(proof)
	return count(t, uint64(end.UnixNano()), func(uint64) bool { return time.Now().Before(end) })
}

// count counts on from first while more says so of how many there were.
func count(t *testing.T, first uint64, more func(n uint64) bool) func() (uint64, bool) {
	var mu sync.Mutex
	n := uint64(0)
	return func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		if t.Failed() || !more(n) {
			return 0, false
		}
		n++
		return first + n - 1, true
	}
}
