package picture

import "encoding/binary"

// Pack is a list of rising UIDs in little room: of each run of consecutive ones how
// many are passed over before it, and how many it has.
type Pack []byte

// NewPack packs uids, which rise. It is never nil.
func NewPack(uids []uint32) Pack {
	p, next := make(Pack, 0, 8), uint32(0)
	for len(uids) > 0 {
		n := 1
		for n < len(uids) && uids[n] == uids[n-1]+1 {
			n++
		}
		p = binary.AppendUvarint(p, uint64(uids[0]-next))
		p = binary.AppendUvarint(p, uint64(n))
		next, uids = uids[n-1]+1, uids[n:]
	}
	return p
}

// UIDs returns what was packed.
func (p Pack) UIDs() (uids []uint32) {
	for next := uint32(0); len(p) > 0; {
		gap, n := binary.Uvarint(p)
		run, m := binary.Uvarint(p[n:])
		p, next = p[n+m:], next+uint32(gap)
		for range run {
			uids = append(uids, next)
			next++
		}
	}
	return uids
}
