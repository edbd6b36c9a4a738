package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type told struct {
	key  string
	mask uint32
	name string
}

func open(t *testing.T, dir string) int {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

func touch(t *testing.T, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWatcher(t *testing.T) {
	events := make(chan told, 100)
	w, err := New(0, func(key string, mask uint32, name string) { events <- told{key, mask, name} })
	if err != nil {
		t.Fatal(err)
	}
	one, two := t.TempDir(), t.TempDir()
	for key, dir := range map[string]string{"one": one, "two": two} {
		if err := w.Add(key, open(t, dir), unix.IN_CREATE); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Add("none", -1, unix.IN_CREATE); err == nil || w.Len() != 2 {
		t.Errorf("no folder: got %v, and %d watched, want an error, and 2", err, w.Len())
	}
	touch(t, one, "a")
	if got, want := <-events, (told{"one", unix.IN_CREATE, "a"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	w.Remove("one")
	w.Remove("one")
	touch(t, one, "b")
	touch(t, two, "c")
	for got := range events {
		if got.mask&unix.IN_IGNORED != 0 {
			continue
		}
		if want := (told{"two", unix.IN_CREATE, "c"}); got != want || w.Len() != 1 {
			t.Errorf("got %v, and %d watched, want %v, and 1", got, w.Len(), want)
		}
		break
	}
	w.Close()
	touch(t, two, "d")
	if len(events) > 0 {
		t.Errorf("after Close: got %v, want nothing", <-events)
	}
}

// TestWatcherOverflow: when events were lost, all folders are told of.
func TestWatcherOverflow(t *testing.T) {
	events := make(chan told, 100)
	w, err := New(0, func(key string, mask uint32, _ string) { events <- told{key: key, mask: mask} })
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, key := range []string{"one", "two"} {
		if err := w.Add(key, open(t, t.TempDir()), unix.IN_CREATE); err != nil {
			t.Fatal(err)
		}
	}
	w.event(-1, unix.IN_Q_OVERFLOW, "")
	got := map[told]bool{<-events: true, <-events: true}
	if !got[told{"one", unix.IN_Q_OVERFLOW, ""}] || !got[told{"two", unix.IN_Q_OVERFLOW, ""}] {
		t.Errorf("got %v, want both", got)
	}
}

func TestPoller(t *testing.T) {
	dir := t.TempDir()
	type news struct {
		key string
		err error
	}
	events := make(chan news, 100)
	p := &Poller[string, int]{
		Every: time.Millisecond,
		Now: func(dir string) (int, error) {
			entries, err := os.ReadDir(dir)
			return len(entries), err
		},
		Told: func(key string, err error) { events <- news{key, err} },
	}
	p.Add(dir)
	touch(t, dir, "a")
	if got := <-events; got != (news{dir, nil}) {
		t.Errorf("got %v, want %s", got, dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for got := range events { // the file may go first
		if got.err != nil {
			break
		}
	}
	p.Remove(dir)
	p.Close()
	if len(events) > 0 {
		t.Errorf("an error that stays: got %v, want it once", <-events)
	}
	(&Poller[string, int]{}).Close()
}
