package query

import "posthorn/imapd/internal/wire"

// Batches is what a UIDBATCHES asks for (RFC 10022 section 4).
type Batches struct {
	Size     uint32 // messages of a batch, at least 1
	From, To uint32 // the batches that are wanted, from 1; 0: all
}

// ParseBatches takes the arguments of UIDBATCHES.
func ParseBatches(s *wire.Scanner) (b Batches, err error) {
	if b.Size, err = s.Number(); err != nil {
		return b, err
	}
	if b.Size == 0 {
		return b, bad("a batch has messages")
	}
	if !s.Accept(' ') {
		return b, s.End()
	}
	if b.From, err = s.Number(); err != nil {
		return b, err
	}
	if err := s.Expect(':'); err != nil {
		return b, err
	}
	if b.To, err = s.Number(); err != nil {
		return b, err
	}
	if b.From == 0 || b.From > b.To { // RFC 10022 section 3.1.5
		return b, bad("[CLIENTBUG] invalid batch range")
	}
	return b, s.End()
}
