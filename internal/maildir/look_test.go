package maildir

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"posthorn/internal/durable"
	"posthorn/internal/id"
)

// TestLooksShareAListing has many look while one listing runs: one more serves
// all of them, with what came into the folder meanwhile.
func TestLooksShareAListing(t *testing.T) {
	var l looks
	var folder []string // belongs to the listing that runs
	listings := 0
	list := func() iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			listings++
			for _, name := range folder {
				if !yield([]byte(name), nil) {
					return
				}
			}
		}
	}
	const many = 50
	l.turn.Lock() // a listing runs
	files, names := make([]string, many), make([]string, many)
	var wait sync.WaitGroup
	for n := range many {
		message := id.New()
		if n%2 == 0 {
			names[n] = fmt.Sprintf("1792411200.%s.mx,S=%d", message, n)
		}
		wait.Go(func() { files[n], _ = l.find(message, list()) })
	}
	for joined := 0; joined < many; {
		l.mu.Lock()
		if l.next != nil {
			joined = len(l.next.found)
		}
		l.mu.Unlock()
	}
	folder = append([]string{"odd", "1.2", "1792411200." + id.New() + ".mx"}, names...)
	l.turn.Unlock()
	wait.Wait()
	if listings != 1 {
		t.Errorf("got %d listings, want 1", listings)
	}
	for n := range many {
		if files[n] != names[n] {
			t.Errorf("message %d: got %q, want %q", n, files[n], names[n])
		}
	}
}

// TestLookFails has all who wait for a listing told that it failed, and none
// behind it.
func TestLookFails(t *testing.T) {
	var l looks
	broken := errors.New("broken")
	fail := func(yield func([]byte, error) bool) { yield(nil, broken) }
	if _, err := l.find(id.New(), fail); !errors.Is(err, broken) {
		t.Errorf("got %v, want the listing's error", err)
	}
	message := id.New()
	name := "1." + message + ".mx"
	file, err := l.find(message, func(yield func([]byte, error) bool) { yield([]byte(name), nil) })
	if file != name || err != nil {
		t.Errorf("behind it: got %q, %v, want %q", file, err, name)
	}
}

// BenchmarkTryAgain delivers as behind a restart with a long queue: each message
// looks for itself in a box that holds many.
func BenchmarkTryAgain(b *testing.B) {
	root := b.TempDir()
	place := Place{root, filepath.Join(root, "Maildir")}
	if err := Make(new(durable.Disk), place); err != nil {
		b.Fatal(err)
	}
	for n := range 20_000 {
		name := Name{Unique: unique(1792411200, id.New(), "mx"), Size: int64(n), Virtual: int64(n)}.String()
		if err := os.WriteFile(filepath.Join(place.Path, "new", name), nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	d := NewDelivery(new(durable.Disk), "mx")
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m := Message{ID: id.New(), Time: time.Now(), Try: 2, Body: nothing{}}
			if r := d.Deliver([]Place{place}, m); r[0].Err != nil {
				b.Error(r[0].Err)
			}
		}
	})
}

// nothing is an empty message.
type nothing struct{}

func (nothing) ReadAt([]byte, int64) (int, error) { return 0, nil }
