package picture

import (
	"math"
	"slices"
	"testing"
)

func TestPack(t *testing.T) {
	for _, tc := range []struct {
		uids []uint32
		most int // bytes
	}{
		{nil, 0},
		{[]uint32{1}, 2},
		{[]uint32{1, 2, 3, 4, 5}, 2},
		{[]uint32{math.MaxUint32 - 1, math.MaxUint32}, 6},
		{[]uint32{1, 3, 4, 1000, math.MaxUint32}, 14},
	} {
		p := NewPack(tc.uids)
		if got := p.UIDs(); !slices.Equal(got, tc.uids) || p == nil || len(p) > tc.most {
			t.Errorf("%v: got %v in %d bytes, want at most %d", tc.uids, got, len(p), tc.most)
		}
	}
}
