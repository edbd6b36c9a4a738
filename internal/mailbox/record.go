package mailbox

import (
	"bytes"
	"hash/maphash"
	"math"
	"slices"
	"strconv"
	"time"
)

// unknown stands for a size that no name tells, or that does not fit.
const unknown = math.MaxUint32

// record is one message: 36 bytes, and its base name in the arena.
type record struct {
	uid   uint32 // 0: the file was found, its UID is not assigned yet
	flags bits
	mod   uint32 // the folder's count of changes when its flags last changed
	size  uint32 // bytes of the file
	vsize uint32 // bytes with CRLF line ends
	date  uint32 // internal date, seconds since 1970; 0: not known, or not in range
	name  uint32 // where the base name begins in the arena
	len   uint8  // the base name's length
	state state
}

type state uint8

const (
	inNew     state = 1 << iota // the file stands in new/
	unclaimed                   // no session took its \Recent yet
	oddInfo                     // the file's info is not what its flags make: see picture.odd
	counted                     // the sizes were read from the file, not only from its name
	lying                       // the name tells other sizes than the file has
	unlisted                    // a new uidlist was read and has not named it so far
)

// picture is a folder's messages in memory, in the order of their UIDs.
type picture struct {
	records []record
	names   []byte            // the arena of base names
	odd     map[uint32]string // info on the disk of records with oddInfo, by their name's place
	wasted  int               // bytes of names that no record uses
}

// base returns the file's name without its info; valid until names is rebuilt.
func (p *picture) base(r *record) []byte {
	return p.names[r.name : int(r.name)+int(r.len)]
}

// info returns what follows the base name on the disk.
func (p *picture) info(r *record) string {
	if r.state&oddInfo != 0 {
		return p.odd[r.name]
	}
	if r.state&inNew != 0 && r.flags == 0 {
		return ""
	}
	return ":2," + r.flags.letters()
}

// file returns the name on the disk.
func (p *picture) file(r *record) string { return string(p.base(r)) + p.info(r) }

// add appends a record with its base name and what the name says of sizes. The
// arena's offsets end at 4 GiB: some 50 million messages.
func (p *picture) add(base, info []byte, st state) (*record, bool) {
	if len(base) > math.MaxUint8 || len(p.names)+len(base) > math.MaxUint32 {
		return nil, false
	}
	p.records = append(p.records, record{
		name: uint32(len(p.names)), len: uint8(len(base)), state: st,
		size: sizeIn(base, 'S'), vsize: sizeIn(base, 'W'),
	})
	p.names = append(p.names, base...)
	r := &p.records[len(p.records)-1]
	p.setInfo(r, info)
	return r, true
}

// setInfo takes info as what is on the disk, and the flags from it.
func (p *picture) setInfo(r *record, info []byte) {
	p.forgetInfo(r)
	b, plain := plainInfo(info, r.state)
	if plain {
		r.flags = b
		return
	}
	r.flags = readInfo(string(info))
	if p.odd == nil {
		p.odd = make(map[uint32]string)
	}
	p.odd[r.name] = string(info)
	r.state |= oddInfo
}

func (p *picture) forgetInfo(r *record) {
	if r.state&oddInfo != 0 {
		delete(p.odd, r.name)
		r.state &^= oddInfo
	}
}

// rename gives the record another base name, as after a correction.
func (p *picture) rename(r *record, base string) {
	info := p.info(r)
	p.forgetInfo(r)
	p.wasted += int(r.len)
	r.name, r.len = uint32(len(p.names)), uint8(len(base))
	p.names = append(p.names, base...)
	p.setInfo(r, []byte(info))
}

// find returns the record of uid, or nil.
func (p *picture) find(uid uint32) *record {
	i, ok := slices.BinarySearchFunc(p.records, uid, func(r record, uid uint32) int {
		switch {
		case r.uid < uid:
			return -1
		case r.uid > uid:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &p.records[i]
}

// keep drops the records for which keep is false and returns how many went.
func (p *picture) keep(keep func(*record) bool) int {
	kept := p.records[:0]
	for i := range p.records {
		r := &p.records[i]
		if keep(r) {
			kept = append(kept, *r)
			continue
		}
		p.forgetInfo(r)
		p.wasted += int(r.len)
	}
	gone := len(p.records) - len(kept)
	p.records = kept
	p.pack()
	return gone
}

// pack rebuilds the arena when half of it is waste.
func (p *picture) pack() {
	if p.wasted < 4096 || p.wasted < len(p.names)/2 {
		return
	}
	names := make([]byte, 0, len(p.names)-p.wasted)
	odd := make(map[uint32]string, len(p.odd))
	for i := range p.records {
		r := &p.records[i]
		at := uint32(len(names))
		names = append(names, p.base(r)...)
		if r.state&oddInfo != 0 {
			odd[at] = p.odd[r.name]
		}
		r.name = at
	}
	p.names, p.odd, p.wasted = names, odd, 0
}

// sort puts the records in the order of their UIDs.
func (p *picture) sort() {
	byUID := func(a, b record) int { return int(int64(a.uid) - int64(b.uid)) }
	if !slices.IsSortedFunc(p.records, byUID) {
		slices.SortFunc(p.records, byUID)
	}
}

// sizeIn reads the hint `,S=123` (key S or W) in a base name.
func sizeIn(base []byte, key byte) uint32 {
	hint := [3]byte{',', key, '='}
	i := bytes.Index(base, hint[:])
	if i < 0 {
		return unknown
	}
	digits := base[i+len(hint):]
	if end := bytes.IndexByte(digits, ','); end >= 0 {
		digits = digits[:end]
	}
	if len(digits) > 10 {
		return unknown
	}
	n, err := strconv.ParseUint(string(digits), 10, 32)
	if err != nil {
		return unknown
	}
	return uint32(n)
}

// small returns n as a record keeps it.
func small(n int64) uint32 {
	if n < 0 || n >= unknown {
		return unknown
	}
	return uint32(n)
}

// message returns what sessions see of r. Keywords are left to the caller.
func (r *record) message() Message {
	m := Message{UID: r.uid, Size: -1}
	if r.vsize != unknown {
		m.Size = int64(r.vsize)
	}
	if r.date != 0 {
		m.Date = time.Unix(int64(r.date), 0)
	}
	return m
}

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
