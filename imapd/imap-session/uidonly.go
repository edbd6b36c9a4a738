package main

import "posthorn/imapd/internal/wire"

// errUIDOnly is for a client that enabled UIDONLY and uses message numbers (RFC
// 9586 section 3).
func errUIDOnly() error { return &wire.SyntaxError{Text: "[UIDREQUIRED] messages are named by UID"} }

// writeFetch begins the response with data of a message.
func (s *Session) writeFetch(seq int, uid uint32) {
	s.w.Raw("* ")
	if s.uidOnly { // RFC 9586
		s.w.Num(uint64(uid))
		s.w.Raw(" UIDFETCH (")
		return
	}
	s.w.Num(uint64(seq))
	s.w.Raw(" FETCH (")
}

// writeExpunged tells that messages are gone: by their numbers, from the highest to
// the lowest, or by their UIDs.
func (s *Session) writeExpunged(seqs []int, uids []uint32) {
	if (s.uidOnly || s.resync) && len(uids) > 0 {
		s.w.Raw("* VANISHED ") // RFC 9586, RFC 7162 section 3.2.10
		s.w.Bytes(wire.AppendSet(nil, uids))
		s.w.Raw("\r\n")
		return
	}
	for _, seq := range seqs {
		s.numbered(seq, "EXPUNGE")
	}
}
