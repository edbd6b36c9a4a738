package mailbox

import (
	"bytes"
	"hash/maphash"
)

// table finds records by base name. It holds indexes into picture.records and
// is good until records are removed or sorted.
type table struct {
	p     *picture
	seed  maphash.Seed
	slots []int32 // index + 1, 0: empty
	used  int
}

// newTable makes the table of those records of p for which want is true.
func newTable(p *picture, want func(*record) bool) *table {
	n := 0
	for i := range p.records {
		if want(&p.records[i]) {
			n++
		}
	}
	t := &table{p: p, seed: maphash.MakeSeed()}
	t.resize(n)
	for i := range p.records {
		if want(&p.records[i]) {
			t.enter(i)
		}
	}
	return t
}

// resize makes empty slots for more than n records.
func (t *table) resize(n int) {
	size := 64
	for size < 2*n+2 {
		size *= 2
	}
	t.slots, t.used = make([]int32, size), 0
}

// enter adds the record at index i.
func (t *table) enter(i int) {
	if 2*t.used >= len(t.slots) {
		old := t.slots
		t.resize(2 * t.used)
		for _, s := range old {
			if s != 0 {
				t.enter(int(s - 1))
			}
		}
	}
	t.slots[t.slot(t.p.base(&t.p.records[i]))] = int32(i + 1)
	t.used++
}

// slot returns where base stands or would stand.
func (t *table) slot(base []byte) int {
	mask := len(t.slots) - 1
	slot := int(maphash.Bytes(t.seed, base)) & mask
	for t.slots[slot] != 0 && !bytes.Equal(t.p.base(&t.p.records[t.slots[slot]-1]), base) {
		slot = (slot + 1) & mask
	}
	return slot
}

// find returns the index of the record with this base name, or -1.
func (t *table) find(base []byte) int { return int(t.slots[t.slot(base)]) - 1 }
