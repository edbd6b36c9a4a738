package id

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

func TestNewRises(t *testing.T) {
	clock := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := NewSource(func() time.Time { return clock })
	last := ""
	for _, step := range []time.Duration{0, time.Second, 0, -time.Hour, 0, 2 * time.Hour} {
		clock = clock.Add(step)
		got := s.New()
		if !Valid(got) {
			t.Fatalf("New: got %q, want a valid id", got)
		}
		if got <= last {
			t.Errorf("clock %v: got %q after %q, want it to rise", clock, got, last)
		}
		last = got
	}
}

func TestTime(t *testing.T) {
	want := time.Date(2026, 11, 22, 12, 34, 56, 789012000, time.UTC)
	s := NewSource(func() time.Time { return want })
	got, err := Time(s.New())
	if err != nil || !got.Equal(want) {
		t.Errorf("Time: got %v, %v, want %v", got.UTC(), err, want)
	}
	if _, err := Time("../../etc/passwd"); err == nil {
		t.Error("Time of a path: got no error")
	}
}

func TestValid(t *testing.T) {
	good := New()
	for _, tc := range []struct {
		name, id string
		want     bool
	}{
		{"new", good, true},
		{"empty", "", false},
		{"short", good[1:], false},
		{"long", good + "0", false},
		{"upper case", "0" + "A" + good[2:], false},
		{"a letter outside the alphabet", "0" + "u" + good[2:], false},
		{"a path", "../../../../../../../etc/x", false},
		{"more than 128 bits", "8" + good[1:], false},
	} {
		if got := Valid(tc.id); got != tc.want {
			t.Errorf("%s: Valid(%q): got %v, want %v", tc.name, tc.id, got, tc.want)
		}
	}
}

func TestKey(t *testing.T) {
	last := Key{}
	for _, want := range []string{"00000000000000000000000001", New(), New(), "7zzzzzzzzzzzzzzzzzzzzzzzzz"} {
		k := KeyOf(want)
		if got := k.String(); got != want {
			t.Errorf("got %s back, want %s", got, want)
		}
		if bytes.Compare(k[:], last[:]) <= 0 {
			t.Errorf("the key of %s is not behind the one before", want)
		}
		last = k
	}
	for _, s := range []string{"", "x", "8" + New()[1:], New() + "0", New()[:25] + "u"} {
		if k := KeyOf(s); k != (Key{}) {
			t.Errorf("%q: got the key %s, want none", s, k)
		}
	}
}

func TestNewConcurrently(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				s := New()
				mu.Lock()
				if seen[s] {
					t.Errorf("id %q made twice", s)
				}
				seen[s] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func FuzzTime(f *testing.F) {
	f.Add(New())
	f.Add("7zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := Time(s); (err == nil) != Valid(s) {
			t.Errorf("Time(%q): error %v, Valid %v", s, err, Valid(s))
		}
	})
}
