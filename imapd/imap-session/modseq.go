package main

import (
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// wantModSeqs is called by whatever a client says that enables CONDSTORE (RFC 7162
// section 3.1): from then on it is told the modseqs of what changes.
func (s *Session) wantModSeqs() {
	if s.modSeqs {
		return
	}
	s.modSeqs = true
	if s.view != nil {
		s.writeHighest()
	}
}

func (s *Session) writeHighest() { s.code("HIGHESTMODSEQ", s.view.HighestModSeq(), "highest modseq") }

// writeModSeq writes the data item MODSEQ.
func (s *Session) writeModSeq(m mailbox.Message) {
	s.w.Raw("MODSEQ (")
	s.w.Num(m.ModSeq)
	s.w.Raw(")")
}

// writeModSeqOf writes the FETCH response with a message's modseq alone, if it is there.
func (s *Session) writeModSeqOf(seq int, uid bool) {
	m := s.view.At(seq)
	if m.Gone {
		return
	}
	s.writeFetch(seq, m.UID)
	if (uid || s.resync) && !s.uidOnly {
		s.w.Raw("UID ")
		s.w.Num(uint64(m.UID))
		s.w.Raw(" ")
	}
	s.writeModSeq(m)
	s.w.Raw(")\r\n")
}

// changedSince leaves those of the messages whose modseq is above since.
func (s *Session) changedSince(seqs sequence, since uint64) (out sequence) {
	for _, r := range seqs {
		for _, seq := range s.view.Changed(since, int(r.Lo), int(r.Hi)) {
			if n := len(out); n > 0 && out[n-1].Hi+1 == uint32(seq) {
				out[n-1].Hi++
			} else {
				out = append(out, wire.Range{Lo: uint32(seq), Hi: uint32(seq)})
			}
		}
	}
	return out
}

// modifiers obeys those of a FETCH that are about modseqs; args begin with its set.
func (f *fetcher) modifiers(uid bool, mod query.Modifiers, seqs sequence, args wire.Scanner) (sequence, error) {
	if mod.Vanished && (!uid || !f.resync || !mod.Changed) { // RFC 7162 section 3.2.6
		return nil, &wire.SyntaxError{Text: "VANISHED is for UID FETCH with CHANGEDSINCE, and QRESYNC has to be enabled"}
	}
	if mod.Changed {
		f.Items |= query.ModSeq // RFC 7162 section 3.1.4.1
	}
	if f.Items&query.ModSeq != 0 {
		f.wantModSeqs()
	}
	if mod.Vanished {
		set, saved, err := args.SavedSet()
		if saved {
			set = append(set, f.saved...)
		}
		if err == nil {
			err = f.writeVanished(mod.Since, set.Resolve(f.view.UIDNext()-1))
		}
		if err != nil {
			return nil, err
		}
	}
	if mod.Changed {
		seqs = f.changedSince(seqs, mod.Since)
	}
	return seqs, nil
}

// storeModifiers takes UNCHANGEDSINCE where it is there; without it nothing is above
// the result.
func (s *Session) storeModifiers(args *wire.Scanner) (since uint64, err error) {
	since = 1<<64 - 1
	if args.Peek() != '(' {
		return since, nil
	}
	given := false
	err = args.List(1, func() (err error) {
		if args.Word() != "UNCHANGEDSINCE" {
			return &wire.SyntaxError{Text: "unknown modifier of STORE"}
		}
		if err = args.Space(); err == nil {
			since, err = args.Number64()
		}
		given = true
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case !given:
		return 0, &wire.SyntaxError{Text: "no modifier of STORE"}
	}
	s.wantModSeqs()
	return since, args.Space()
}

// modified is the text of the OK of a STORE that left messages alone (RFC 7162
// section 3.1.3).
func (s *Session) modified(c *wire.Command, seqs []int) string {
	number := s.numbersOf(isUID(c))
	numbers := make([]uint32, len(seqs))
	for i, seq := range seqs {
		numbers[i] = number(seq)
	}
	return "[MODIFIED " + string(wire.AppendSet(nil, numbers)) + "] " + c.Name + " completed, but some messages had changed"
}

// highestOf returns the highest modseq of what a SEARCH found, 0 if it found
// nothing (RFC 7162 sections 3.1.5 and 3.1.10).
func (s *Session) highestOf(o found) (highest uint64) {
	list := o.list
	if list == nil {
		list = append([]int{o.min, o.max}, o.part...)
	}
	for _, seq := range list {
		if seq > 0 {
			highest = max(highest, s.view.At(seq).ModSeq)
		}
	}
	return highest
}
