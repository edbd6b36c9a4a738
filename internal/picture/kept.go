package picture

import (
	"cmp"
	"iter"
	"slices"

	"posthorn/internal/index"
)

// KeptState are the states of a record that the index keeps.
const KeptState = InNew | OddInfo | Counted | Lying

// Inherit takes what another record knew of the same message.
func (r *Record) Inherit(x *index.Record) {
	if x.Date > 0 && x.Date < Unknown && r.Date == 0 {
		r.Date = uint32(x.Date)
	}
	for i, place := range x.Entries {
		if place != 0 { // else the text may be our own, and not in the index yet
			r.Texts[i] = place
		}
	}
}

// Grave returns the index of the first tomb whose UID is at least uid.
func (p *Picture) Grave(uid uint32) int {
	i, _ := slices.BinarySearchFunc(p.Tombs, uid, func(t Tomb, uid uint32) int { return cmp.Compare(t.UID, uid) })
	return i
}

// From yields the records as the index has them, from the indexes of the first
// message that is there and the first that is gone, in the order of their UIDs.
func (p *Picture) From(live, gone int) iter.Seq[index.Record] {
	return func(yield func(index.Record) bool) {
		for live < len(p.Records) || gone < len(p.Tombs) {
			var x index.Record
			if gone == len(p.Tombs) || live < len(p.Records) && p.Records[live].UID < p.Tombs[gone].UID {
				x = p.Records[live].Kept()
				live++
			} else {
				x = p.Tombs[gone].Kept()
				gone++
			}
			if !yield(x) {
				return
			}
		}
	}
}

// Kept returns the record as the index has it.
func (r *Record) Kept() index.Record {
	return index.Record{
		UID: r.UID, Flags: uint32(r.Flags), Size: r.Size, Virtual: r.VSize, Date: int64(r.Date), ModSeq: r.Mod,
		Name: r.Line, NameLen: uint32(r.Len), State: uint32(r.State & KeptState), Entries: r.Texts,
	}
}

// Kept returns the tomb as the index has it.
func (t Tomb) Kept() index.Record {
	return index.Record{UID: t.UID, State: index.Gone, ModSeq: t.Mod}
}
