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
		{"large", true, 11 << 20, false},
		{"too little for that", false, 11 << 20, false},
	} {
		held := uint64(1 << 20)
		if tc.allocated == 11<<20 {
			held = 17 << 20
		}
		if tc.stir {
			w.Stir()
		}
		if got := w.calm(tc.allocated, held); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestHeap(t *testing.T) {
	before, _ := heap()
	sink = make([]byte, 4<<20)
	after, held := heap()
	if got := after - before; got < 4<<20 {
		t.Errorf("got %d more bytes, want what was allocated", got)
	}
	if held < 4<<20 {
		t.Errorf("got %d bytes held, want what was allocated", held)
	}
}

var sink []byte
