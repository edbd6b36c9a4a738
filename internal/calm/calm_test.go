package calm

import "testing"

func TestCalm(t *testing.T) {
	var w Watch
	w.Stir()
	w.Stir()
	for _, tc := range []struct {
		name      string
		stir      bool
		allocated uint64
		want      bool
	}{
		{"just now", false, 5 << 20, false},
		{"quiet", false, 5 << 20, true},
		{"quiet as before", false, 5<<20 + 1, false},
		{"again", true, 9 << 20, false},
		{"quiet after it", false, 9 << 20, true},
	} {
		if tc.stir {
			w.Stir()
		}
		if got := w.calm(tc.allocated); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestAllocated(t *testing.T) {
	before := allocated()
	sink = make([]byte, 4<<20)
	if got := allocated() - before; got < 4<<20 {
		t.Errorf("got %d more bytes, want what was allocated", got)
	}
}

var sink []byte
