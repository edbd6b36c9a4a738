package main

import (
	"sync"
	"testing"

	"posthorn/internal/door"
)

// BenchmarkMessages takes messages from 20 clients at a time in, has them
// delivered by a daemon that does nothing, and removes them.
func BenchmarkMessages(b *testing.B) {
	w := newWorld(b)
	r := w.run()
	c := door.New(w.conf.Socket("queue"))
	defer c.Close()
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	work := make(chan struct{})
	for range 20 {
		wg.Go(func() {
			for range work {
				d := w.draft("ann@test", "bob@test")
				if err := c.Submit(b.Context(), d); err != nil {
					b.Error(err)
				}
				d.Close()
			}
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	w.awaitEmpty(r)
}
