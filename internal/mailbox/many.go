package mailbox

// AppendAt appends the messages from first to last to list, as At returns them: for
// who looks at one after the other.
func (v *View) AppendAt(list []Message, first, last int) []Message {
	v.folder.mu.Lock()
	defer v.folder.mu.Unlock()
	for seq := first; seq <= last; seq++ {
		list = append(list, Message{})
		v.describe(&list[len(list)-1], seq)
	}
	return list
}

// UID returns the UID that At returns of message seq.
func (v *View) UID(seq int) uint32 {
	v.folder.mu.Lock()
	defer v.folder.mu.Unlock()
	return v.uid(seq)
}

// Changed returns those of the messages from first to last that are there and have a
// modseq above since.
func (v *View) Changed(since uint64, first, last int) (seqs []int) {
	v.folder.mu.Lock()
	defer v.folder.mu.Unlock()
	for seq := first; seq <= last; seq++ {
		if r := v.record(seq, v.uid(seq)); r != nil && r.Mod > since && v.folder.over == nil {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}
