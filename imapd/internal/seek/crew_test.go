package seek

import (
	"fmt"
	"strings"
	"testing"
)

// TestHands: no more of them than there are, whoever takes them.
func TestHands(t *testing.T) {
	h := NewHands(3)
	if a, b, c := h.take(2), h.take(2), h.take(2); a != 2 || b != 1 || c != 0 {
		t.Errorf("got %d, %d, %d, want 2, 1, 0", a, b, c)
	}
	h.give()
	if n := h.take(5); n != 1 {
		t.Errorf("got %d, want the one that was given back", n)
	}
}

// TestABugOfTheCrew: what a goroutine of the crew panics with, the session's own
// panics with, where it ends that session only.
func TestABugOfTheCrew(t *testing.T) {
	c := &crew{work: make(chan *Batch, 1)}
	c.over.Go(func() {
		for b := range c.work {
			b.run(nil, &c.stop) // nobody can look without a seeker
		}
	})
	defer c.end()
	c.give(Batch{seq: 1, step: 1, N: 1})
	defer func() {
		if p := recover(); !strings.Contains(fmt.Sprint(p), "nil pointer") {
			t.Errorf("got %v, want the goroutine's bug", p)
		}
	}()
	t.Errorf("got %+v, want a panic", c.take())
}
