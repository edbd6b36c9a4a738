package mailbox

import (
	"posthorn/internal/index"
	"posthorn/internal/picture"
)

// meeting is of two processes' modseqs for the messages of one folder: ours, and
// those of the index that the other has written.
type meeting struct {
	lost    bool   // those of the index cannot be believed
	known   uint64 // the highest that our sessions can have been told, before we looked
	written uint64 // the highest that the other's can have been told, before it wrote
}

// of returns the modseq of a message of which the index has x, 0 for a new one. A
// change keeps the one that it got first, so that who was told of it by one process is
// not told again by the other, and may go on changing the message (RFC 7162 3.1.3): as
// long as that is above all that was told to those who do not know of the change.
func (m *meeting) of(r *picture.Record, x *index.Record) uint64 {
	agreed := picture.Bits(x.Flags) == r.Flags && x.State&index.Gone == 0
	switch {
	case m.lost || !agreed && r.Mod <= m.written:
		return 0
	case !agreed:
		return r.Mod // our change, of which the other has not heard
	case min(r.Mod, x.ModSeq) > m.known:
		return x.ModSeq // the other's change, that we found just now
	}
	return max(r.Mod, x.ModSeq)
}
