package mailbox

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"posthorn/internal/index"
)

// unknown stands for a size that no name tells, or that does not fit.
const unknown = math.MaxUint32

// record is one message: 56 bytes, and its base name in the arena.
type record struct {
	mod   uint64 // modseq: when its flags last changed (RFC 7162 3.1); 0: not given yet
	uid   uint32 // 0: the file was found, its UID is not assigned yet
	flags bits
	size  uint32 // bytes of the file
	vsize uint32 // bytes with CRLF line ends
	date  uint32 // internal date, seconds since 1970; 0: not known, or not in range
	name  uint32 // where the base name begins in the arena
	line  uint32 // where it stands in dovecot-uidlist; 0: not known
	texts [index.Columns]uint32
	len   uint8 // the base name's length
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
	noted                       // among picture.changed
)

// picture is a folder's messages in memory, in the order of their UIDs.
type picture struct {
	records []record
	names   []byte            // the arena of base names
	odd     map[uint32]string // info on the disk of records with oddInfo, by their name's place
	wasted  int               // bytes of names that no record uses

	unclaimed bool // some message may be unclaimed

	mod       uint64 // the highest modseq given
	sums      sums
	seen      uint32   // every message below this UID is \Seen
	changed   []uint32 // UIDs of records that are other than in the index
	tombs     []tomb   // messages that are gone, by UID
	forgotten uint64   // tombs up to this modseq may be missing
}

// sums are what STATUS asks for.
type sums struct {
	unseen, deleted int
	unsized         int   // messages whose size is not known
	size            int64 // of the others
}

// add counts r, n times.
func (c *sums) add(r *record, n int) {
	if r.flags&bitSeen == 0 {
		c.unseen += n
	}
	if r.flags&bitDeleted != 0 {
		c.deleted += n
	}
	if r.vsize == unknown {
		c.unsized += n
	} else {
		c.size += int64(n) * int64(r.vsize)
	}
}

// total returns the size of all messages, -1 when it is not known.
func (c *sums) total() int64 {
	if c.unsized > 0 {
		return -1
	}
	return c.size
}

// next returns a modseq that is higher than all before, also than those that
// were given and lost, as long as the clock goes forward.
func (p *picture) next() uint64 {
	p.mod = max(p.mod+1, uint64(max(time.Now().UnixMicro(), 1)))
	return p.mod
}

// note says that r is other than in the index.
func (p *picture) note(r *record) {
	if r.state&noted == 0 && r.uid != 0 {
		r.state |= noted
		p.changed = append(p.changed, r.uid)
	}
}

// touch notes that r's flags changed.
func (p *picture) touch(r *record) {
	r.mod = p.next()
	p.note(r)
}

// christen gives a modseq to the records that have none, all the same.
func (p *picture) christen() {
	mod := uint64(0)
	for i := range p.records {
		if r := &p.records[i]; r.mod == 0 {
			if mod == 0 {
				mod = p.next()
			}
			r.mod = mod
		}
	}
}

// firstUnseen returns the index of the first message that is not \Seen, -1 when
// there is none.
func (p *picture) firstUnseen() int {
	if p.sums.unseen == 0 {
		return -1
	}
	i := p.search(p.seen)
	for i < len(p.records) && p.records[i].flags&bitSeen != 0 {
		i++
	}
	if i == len(p.records) {
		return -1
	}
	p.seen = p.records[i].uid
	return i
}

// setSizes takes sizes for a record.
func (p *picture) setSizes(r *record, size, vsize uint32) {
	p.sums.add(r, -1)
	r.size, r.vsize = size, vsize
	p.sums.add(r, 1)
	p.note(r)
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
	p.records = append(doubled(p.records, 1), record{
		name: uint32(len(p.names)), len: uint8(len(base)), state: st,
		size: sizeIn(base, 'S'), vsize: sizeIn(base, 'W'),
	})
	p.names = append(doubled(p.names, len(base)), base...)
	r := &p.records[len(p.records)-1]
	p.sums.add(r, 1)
	p.setInfo(r, info)
	p.unclaimed = p.unclaimed || st&unclaimed != 0
	return r, true
}

// doubled returns s with room for n more; where it has none it gets twice as large,
// since append alone makes five times as much garbage of a large folder.
func doubled[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return slices.Grow(s, max(n, len(s)))
}

// setInfo takes info as what is on the disk, and the flags from it.
func (p *picture) setInfo(r *record, info []byte) {
	p.forgetInfo(r)
	b, plain := plainInfo(info, r.state)
	if !plain {
		b = readInfo(string(info))
	}
	p.setBits(r, b)
	if plain {
		return
	}
	if p.odd == nil {
		p.odd = make(map[uint32]string)
	}
	p.odd[r.name] = string(info)
	r.state |= oddInfo
}

// setBits takes b for the record's flags.
func (p *picture) setBits(r *record, b bits) {
	p.sums.add(r, -1)
	r.flags = b
	p.sums.add(r, 1)
	if b&bitSeen == 0 {
		p.seen = min(p.seen, r.uid)
	}
	p.note(r)
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
	r.line = 0
	p.setInfo(r, []byte(info))
}

// search returns the index of the first record whose UID is at least uid.
func (p *picture) search(uid uint32) int {
	i, _ := slices.BinarySearchFunc(p.records, uid, func(r record, uid uint32) int {
		return cmp.Compare(r.uid, uid)
	})
	return i
}

// find returns the record of uid, or nil.
func (p *picture) find(uid uint32) *record {
	i := p.search(uid)
	if i == len(p.records) || p.records[i].uid != uid {
		return nil
	}
	return &p.records[i]
}

// keep drops the records for which keep is false and returns how many went.
func (p *picture) keep(keep func(*record) bool) int {
	kept, gone := p.records[:0], []uint32(nil)
	for i := range p.records {
		r := &p.records[i]
		if keep(r) {
			kept = append(kept, *r)
			continue
		}
		gone = append(gone, r.uid)
		p.sums.add(r, -1)
		p.forgetInfo(r)
		p.wasted += int(r.len)
	}
	p.records = kept
	p.bury(gone)
	p.pack()
	return len(gone)
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
	if slices.IsSortedFunc(p.records, func(a, b record) int { return cmp.Compare(a.uid, b.uid) }) {
		return
	}
	// Numbers are sorted several times as fast as records.
	places := make([]uint64, len(p.records))
	for i := range p.records {
		places[i] = uint64(p.records[i].uid)<<32 | uint64(i)
	}
	slices.Sort(places)
	sorted := make([]record, len(places))
	for i, place := range places {
		sorted[i] = p.records[uint32(place)]
	}
	p.records, p.seen = sorted, 0
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

// octets returns the message's size, -1 when it is not known.
func (r *record) octets() int64 {
	if r.vsize == unknown {
		return -1
	}
	return int64(r.vsize)
}

// describe gives m, which is zero, what sessions see of r. Flags are left to the caller.
func (r *record) describe(m *Message) {
	m.UID, m.Size, m.ModSeq = r.uid, r.octets(), r.mod
	if r.date != 0 {
		m.Date = time.Unix(int64(r.date), 0)
	}
}
