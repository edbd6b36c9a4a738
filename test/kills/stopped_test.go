package kills

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestStops stops daemons under load and lets them go on: each, several, all,
// for a moment or for longer than others wait, and kills some that are stopped.
func TestStops(t *testing.T) {
	letters, rounds := 500, 5
	if prove() {
		letters, rounds = 5000, 60
	}
	random := rand.New(rand.NewPCG(seed(t), 0))
	b := besiege(newFleet(t, options(t)))
	for n := 0; n < rounds || b.l.acknowledged() < letters; n++ {
		b.stop(random, n == rounds/2 && prove())
	}
	b.end()
}

// patience is how long nobody waits for the answer of a queue (doc/spool.md).
const patience = 33 * time.Second

// stop is one round of it; long is one in which those that wait give up.
func (b *siege) stop(random *rand.Rand, long bool) {
	b.f.t.Helper()
	time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
	names := slices.Clone(path)
	random.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
	names = names[:1+random.IntN(2)*random.IntN(len(names))]
	b.f.pause(names...)
	// Two seconds are what queued waits for boxes and for authd.
	held := time.Duration(random.IntN(1000)+random.IntN(3)*1000) * time.Millisecond
	if long {
		held = patience
	}
	time.Sleep(held)
	dead := names[:random.IntN(2)*random.IntN(1+len(names))]
	b.f.kill(dead...)
	b.f.goOn()
	b.f.start(random.IntN(2) == 0, dead...)
}
