// Package picture is a folder's messages as they stand in memory: 56 bytes each, and
// the file's name; with the flags that file names carry, what is remembered of messages
// that are gone, and how the index has both. Nothing in it is safe for concurrent use.
package picture

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"posthorn/internal/index"
)

// Unknown stands for a size that no name tells, or that does not fit.
const Unknown = math.MaxUint32

// Record is one message: 56 bytes, and its base name in the arena.
type Record struct {
	Mod   uint64 // modseq: when its flags last changed (RFC 7162 3.1); 0: not given yet
	UID   uint32 // 0: the file was found, its UID is not assigned yet
	Flags Bits
	Size  uint32 // bytes of the file
	VSize uint32 // bytes with CRLF line ends
	Date  uint32 // internal date, seconds since 1970; 0: not known, or not in range
	Name  uint32 // where the base name begins in the arena
	Line  uint32 // where it stands in dovecot-uidlist; 0: not known
	Texts [index.Columns]uint32
	Len   uint8 // the base name's length
	State State
}

// State is a set of what is known of a message beside its flags.
type State uint8

// Those of KeptState stand in the index.
const (
	InNew     State = 1 << iota // the file stands in new/
	Unclaimed                   // no session took its \Recent yet
	OddInfo                     // the file's info is not what its flags make: see Info
	Counted                     // the sizes were read from the file, not only from its name
	Lying                       // the name tells other sizes than the file has
	Unlisted                    // a new uidlist was read and has not named it so far
	Noted                       // among Changed
)

// Picture is a folder's messages in memory, in the order of their UIDs.
type Picture struct {
	Records []Record
	Names   []byte            // the arena of base names
	odd     map[uint32]string // info on the disk of records with OddInfo, by their name's place
	wasted  int               // bytes of names that no record uses

	Unclaimed bool // some message may be unclaimed

	Mod       uint64 // the highest modseq given
	Sums      Sums
	seen      uint32   // every message below this UID is \Seen
	Changed   []uint32 // UIDs of records that are other than in the index
	Tombs     []Tomb   // messages that are gone, by UID
	Forgotten uint64   // tombs up to this modseq may be missing
}

// Sums are what STATUS asks for.
type Sums struct {
	Unseen, Deleted int
	unsized         int   // messages whose size is not known
	size            int64 // of the others
}

// Add counts r, n times.
func (c *Sums) Add(r *Record, n int) {
	if r.Flags&BitSeen == 0 {
		c.Unseen += n
	}
	if r.Flags&BitDeleted != 0 {
		c.Deleted += n
	}
	if r.VSize == Unknown {
		c.unsized += n
	} else {
		c.size += int64(n) * int64(r.VSize)
	}
}

// Total returns the size of all messages, -1 when it is not known.
func (c *Sums) Total() int64 {
	if c.unsized > 0 {
		return -1
	}
	return c.size
}

// Next returns a modseq that is higher than all before, also than those that
// were given and lost, as long as the clock goes forward.
func (p *Picture) Next() uint64 {
	p.Mod = max(p.Mod+1, uint64(max(time.Now().UnixMicro(), 1)))
	return p.Mod
}

// Note says that r is other than in the index.
func (p *Picture) Note(r *Record) {
	if r.State&Noted == 0 && r.UID != 0 {
		r.State |= Noted
		p.Changed = append(p.Changed, r.UID)
	}
}

// Touch notes that r's flags changed.
func (p *Picture) Touch(r *Record) {
	r.Mod = p.Next()
	p.Note(r)
}

// Christen gives a modseq to the records that have none, all the same.
func (p *Picture) Christen() {
	mod := uint64(0)
	for i := range p.Records {
		if r := &p.Records[i]; r.Mod == 0 {
			if mod == 0 {
				mod = p.Next()
			}
			r.Mod = mod
		}
	}
}

// FirstUnseen returns the index of the first message that is not \Seen, -1 when
// there is none.
func (p *Picture) FirstUnseen() int {
	if p.Sums.Unseen == 0 {
		return -1
	}
	i := p.Search(p.seen)
	for i < len(p.Records) && p.Records[i].Flags&BitSeen != 0 {
		i++
	}
	if i == len(p.Records) {
		return -1
	}
	p.seen = p.Records[i].UID
	return i
}

// SetSizes takes sizes for a record.
func (p *Picture) SetSizes(r *Record, size, vsize uint32) {
	p.Sums.Add(r, -1)
	r.Size, r.VSize = size, vsize
	p.Sums.Add(r, 1)
	p.Note(r)
}

// Base returns the file's name without its info; valid until Names is rebuilt.
func (p *Picture) Base(r *Record) []byte {
	return p.Names[r.Name : int(r.Name)+int(r.Len)]
}

// Info returns what follows the base name on the disk.
func (p *Picture) Info(r *Record) string {
	if r.State&OddInfo != 0 {
		return p.odd[r.Name]
	}
	if r.State&InNew != 0 && r.Flags == 0 {
		return ""
	}
	return ":2," + r.Flags.Letters()
}

// File returns the name on the disk.
func (p *Picture) File(r *Record) string { return string(p.Base(r)) + p.Info(r) }

// Add appends a record with its base name and what the name says of sizes. The
// arena's offsets end at 4 GiB: some 50 million messages.
func (p *Picture) Add(base, info []byte, st State) (*Record, bool) {
	if len(base) > math.MaxUint8 || len(p.Names)+len(base) > math.MaxUint32 {
		return nil, false
	}
	p.Records = append(doubled(p.Records, 1), Record{
		Name: uint32(len(p.Names)), Len: uint8(len(base)), State: st,
		Size: SizeIn(base, 'S'), VSize: SizeIn(base, 'W'),
	})
	p.Names = append(doubled(p.Names, len(base)), base...)
	r := &p.Records[len(p.Records)-1]
	p.Sums.Add(r, 1)
	p.SetInfo(r, info)
	p.Unclaimed = p.Unclaimed || st&Unclaimed != 0
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

// SetInfo takes info as what is on the disk, and the flags from it.
func (p *Picture) SetInfo(r *Record, info []byte) {
	p.ForgetInfo(r)
	b, plain := PlainInfo(info, r.State)
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
	p.odd[r.Name] = string(info)
	r.State |= OddInfo
}

// setBits takes b for the record's flags.
func (p *Picture) setBits(r *Record, b Bits) {
	p.Sums.Add(r, -1)
	r.Flags = b
	p.Sums.Add(r, 1)
	if b&BitSeen == 0 {
		p.seen = min(p.seen, r.UID)
	}
	p.Note(r)
}

// ForgetInfo takes the info on the disk for what the flags make.
func (p *Picture) ForgetInfo(r *Record) {
	if r.State&OddInfo != 0 {
		delete(p.odd, r.Name)
		r.State &^= OddInfo
	}
}

// Rename gives the record another base name, as after a correction.
func (p *Picture) Rename(r *Record, base string) {
	info := p.Info(r)
	p.ForgetInfo(r)
	p.wasted += int(r.Len)
	r.Name, r.Len = uint32(len(p.Names)), uint8(len(base))
	p.Names = append(p.Names, base...)
	r.Line = 0
	p.SetInfo(r, []byte(info))
}

// Search returns the index of the first record whose UID is at least uid.
func (p *Picture) Search(uid uint32) int {
	i, _ := slices.BinarySearchFunc(p.Records, uid, func(r Record, uid uint32) int {
		return cmp.Compare(r.UID, uid)
	})
	return i
}

// Find returns the record of uid, or nil.
func (p *Picture) Find(uid uint32) *Record {
	i := p.Search(uid)
	if i == len(p.Records) || p.Records[i].UID != uid {
		return nil
	}
	return &p.Records[i]
}

// Keep drops the records for which keep is false and returns how many went.
func (p *Picture) Keep(keep func(*Record) bool) int {
	kept, gone := p.Records[:0], []uint32(nil)
	for i := range p.Records {
		r := &p.Records[i]
		if keep(r) {
			kept = append(kept, *r)
			continue
		}
		gone = append(gone, r.UID)
		p.Sums.Add(r, -1)
		p.ForgetInfo(r)
		p.wasted += int(r.Len)
	}
	p.Records = kept
	p.Bury(gone)
	p.pack()
	return len(gone)
}

// pack rebuilds the arena when half of it is waste.
func (p *Picture) pack() {
	if p.wasted < 4096 || p.wasted < len(p.Names)/2 {
		return
	}
	names := make([]byte, 0, len(p.Names)-p.wasted)
	odd := make(map[uint32]string, len(p.odd))
	for i := range p.Records {
		r := &p.Records[i]
		at := uint32(len(names))
		names = append(names, p.Base(r)...)
		if r.State&OddInfo != 0 {
			odd[at] = p.odd[r.Name]
		}
		r.Name = at
	}
	p.Names, p.odd, p.wasted = names, odd, 0
}

// Sort puts the records in the order of their UIDs.
func (p *Picture) Sort() {
	if slices.IsSortedFunc(p.Records, func(a, b Record) int { return cmp.Compare(a.UID, b.UID) }) {
		return
	}
	// Numbers are sorted several times as fast as records.
	places := make([]uint64, len(p.Records))
	for i := range p.Records {
		places[i] = uint64(p.Records[i].UID)<<32 | uint64(i)
	}
	slices.Sort(places)
	sorted := make([]Record, len(places))
	for i, place := range places {
		sorted[i] = p.Records[uint32(place)]
	}
	p.Records, p.seen = sorted, 0
}

// SizeIn reads the hint `,S=123` (key S or W) in a base name.
func SizeIn(base []byte, key byte) uint32 {
	hint := [3]byte{',', key, '='}
	i := bytes.Index(base, hint[:])
	if i < 0 {
		return Unknown
	}
	digits := base[i+len(hint):]
	if end := bytes.IndexByte(digits, ','); end >= 0 {
		digits = digits[:end]
	}
	if len(digits) > 10 {
		return Unknown
	}
	n, err := strconv.ParseUint(string(digits), 10, 32)
	if err != nil {
		return Unknown
	}
	return uint32(n)
}

// Small returns n as a record keeps it.
func Small(n int64) uint32 {
	if n < 0 || n >= Unknown {
		return Unknown
	}
	return uint32(n)
}

// Octets returns the message's size, -1 when it is not known.
func (r *Record) Octets() int64 {
	if r.VSize == Unknown {
		return -1
	}
	return int64(r.VSize)
}

// SetDate notes the internal date, if it fits.
func (p *Picture) SetDate(r *Record, t time.Time) {
	if s := t.Unix(); s > 0 && s < Unknown && r.Date != uint32(s) {
		r.Date = uint32(s)
		p.Note(r)
	}
}

// UIDs returns the UIDs of all messages.
func (p *Picture) UIDs() []uint32 {
	uids := make([]uint32, len(p.Records))
	for i := range p.Records {
		uids[i] = p.Records[i].UID
	}
	return uids
}

// CountUnclaimed counts the messages that no session took as recent.
func (p *Picture) CountUnclaimed() (n int) {
	if !p.Unclaimed {
		return 0
	}
	for i := range p.Records {
		if p.Records[i].State&Unclaimed != 0 {
			n++
		}
	}
	return n
}
