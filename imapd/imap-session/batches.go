package main

import (
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// minBatch is the smallest batch a client may ask for (RFC 10022 section 3.1.3.2).
const minBatch = 500

// batches answers UIDBATCHES (RFC 10022 section 3.1). That takes no longer than the
// answer is, so it is never refused for what it asks: neither for many messages nor
// for being asked often.
func (s *Session) batches(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	b, err := query.ParseBatches(c.Args)
	if err != nil {
		return "", err
	}
	if b.Size < minBatch {
		return "", no("[TOOFEW] minimum batch size is 500")
	}
	size, n := int(b.Size), s.view.Len()
	from, to := 1, (n+size-1)/size
	if b.From > 0 {
		from, to = int(b.From), min(int(b.To), to)
	}
	s.w.Raw("* UIDBATCHES (TAG \"", c.Tag, "\")")
	sep := " "
	for i := from; i <= to; i++ {
		s.w.Raw(sep)
		s.writeBatch(n-(i-1)*size, n-i*size)
		sep = ","
	}
	s.w.Raw("\r\n")
	return plain(c)
}

// writeBatch writes the UIDs of the messages from first down to the one behind last.
// The batch takes in the UIDs down to the next one's first, the last batch those down
// to 1 (RFC 10022 section 3.1.4).
func (s *Session) writeBatch(first, last int) {
	s.w.Num(uint64(s.view.At(first).UID))
	s.w.Raw(":")
	s.w.Num(uint64(s.view.At(last).UID) + 1) // there is no message 0, whose UID is 0
}
