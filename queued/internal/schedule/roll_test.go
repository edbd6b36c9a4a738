package schedule

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"posthorn/internal/id"
)

// TestRoll holds a roll to a map: ids that come in order, out of it, twice, and
// go, more and fewer of them by turns.
func TestRoll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var got roll
	want := map[id.Key]*Item{}
	for n := range 60_000 {
		number := uint64(n)
		if r.IntN(4) == 0 {
			number = r.Uint64N(60_000)
		}
		if growing := n/10_000%2 == 0; r.IntN(5) == 0 == growing {
			number = r.Uint64N(60_000)
			got.remove(key(number))
			delete(want, key(number))
			continue
		}
		want[key(number)] = got.reserve(key(number).String())
	}
	same(t, &got, want)
	for _, k := range slices.Sorted(maps.Keys(numbers(want))) {
		if it := got.get(key(k)); it != want[key(k)] {
			t.Fatalf("get %d: got another item", k)
		}
		if k%997 == 0 {
			rest := slices.Collect(got.behind(key(k)))
			if it := got.get(key(k)); slices.Contains(rest, it) || len(rest) != after(want, k) {
				t.Fatalf("behind %d: got %d items, want %d", k, len(rest), after(want, k))
			}
		}
	}
	if got.get(key(99_999_999)) != nil {
		t.Error("get of what is not there: got an item")
	}
	for k := range want {
		got.remove(k)
	}
	if got.count != 0 || len(got.pages) != 0 {
		t.Errorf("all removed: got %d items on %d pages left", got.count, len(got.pages))
	}
}

// same fails unless the roll has the items of want, in order, on pages that are
// worth their memory.
func same(t *testing.T, got *roll, want map[id.Key]*Item) {
	t.Helper()
	all := slices.Collect(got.all())
	if len(all) != len(want) || got.count != len(want) {
		t.Fatalf("got %d items, count %d, want %d", len(all), got.count, len(want))
	}
	for i, it := range all {
		if want[it.ref.Key()] != it || i > 0 && compare(all[i-1], it.ref.Key()) >= 0 {
			t.Fatalf("item %d: not the one, or out of order", i)
		}
	}
	if most := 4*len(want)/pageLen + 2; len(got.pages) > most {
		t.Errorf("got %d pages for %d items, want at most %d", len(got.pages), len(want), most)
	}
}

func key(n uint64) (k id.Key) {
	binary.BigEndian.PutUint64(k[8:], n+1)
	return k
}

func numbers(m map[id.Key]*Item) map[uint64]bool {
	all := map[uint64]bool{}
	for k := range m {
		all[binary.BigEndian.Uint64(k[8:])-1] = true
	}
	return all
}

func after(m map[id.Key]*Item, n uint64) int {
	count := 0
	for k := range numbers(m) {
		if k > n {
			count++
		}
	}
	return count
}
