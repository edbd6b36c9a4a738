package picture

import (
	"bytes"
	"hash/maphash"
)

// Table finds records by base name. It holds indexes into Picture.Records and
// is good until records are removed or sorted.
type Table struct {
	p     *Picture
	seed  maphash.Seed
	slots []int32 // index + 1, 0: empty
	used  int
}

// NewTable makes the table of those records of p for which want is true.
func NewTable(p *Picture, want func(*Record) bool) *Table {
	n := 0
	for i := range p.Records {
		if want(&p.Records[i]) {
			n++
		}
	}
	t := &Table{p: p, seed: maphash.MakeSeed()}
	t.resize(n)
	for i := range p.Records {
		if want(&p.Records[i]) {
			t.Enter(i)
		}
	}
	return t
}

// resize makes empty slots for more than n records.
func (t *Table) resize(n int) {
	size := 64
	for size < 2*n+2 {
		size *= 2
	}
	t.slots, t.used = make([]int32, size), 0
}

// Enter adds the record at index i.
func (t *Table) Enter(i int) {
	if 2*t.used >= len(t.slots) {
		old := t.slots
		t.resize(2 * t.used)
		for _, s := range old {
			if s != 0 {
				t.Enter(int(s - 1))
			}
		}
	}
	t.slots[t.slot(t.p.Base(&t.p.Records[i]))] = int32(i + 1)
	t.used++
}

// slot returns where base stands or would stand.
func (t *Table) slot(base []byte) int {
	mask := len(t.slots) - 1
	slot := int(maphash.Bytes(t.seed, base)) & mask
	for t.slots[slot] != 0 && !bytes.Equal(t.p.Base(&t.p.Records[t.slots[slot]-1]), base) {
		slot = (slot + 1) & mask
	}
	return slot
}

// Find returns the index of the record with this base name, or -1.
func (t *Table) Find(base []byte) int { return int(t.slots[t.slot(base)]) - 1 }
