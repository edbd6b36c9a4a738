package main

import (
	"posthorn/imapd/internal/find"
	"posthorn/imapd/internal/gist"
	"posthorn/imapd/internal/query"
	"posthorn/internal/mailbox"
)

// seeker looks at one message after another for a search, in the same memory. It is
// used by one goroutine, and does nothing to its Session that others could see.
type seeker struct {
	*Session
	key      query.Key
	deep     bool              // the key asks for more than a mailbox.Message says
	messages []mailbox.Message // those of a batch
	reader   *find.Reader      // nil: no file was read yet
	sums     []byte            // what the index has of the message looked at last
	head     []byte
	present  candidate // the message that is looked at
}

func newSeeker(s *Session, key query.Key) *seeker {
	return &seeker{Session: s, key: key, deep: cost(key) > query.Flag}
}

// hit is a message that was found.
type hit struct{ seq, score int } // score is 0 where no FUZZY key counts

// matches looks at message seq, which is m. One that is gone is mailbox.ErrExpunged.
func (s *seeker) matches(seq int, m *mailbox.Message) (h hit, found bool, err error) {
	if m.Gone {
		return h, false, mailbox.ErrExpunged
	}
	c := &s.present
	if s.deep { // else nothing is in it
		*c = candidate{}
		defer c.close()
	}
	c.seeker, c.seq, c.m = s, seq, m
	found, err = c.meets(&s.key)
	h.seq = seq
	if c.scores > 0 {
		h.score = c.score / c.scores
	}
	return h, found, err
}

// sumOf returns what the index has of a message, or has it have that. It is valid
// until the next call.
func (s *seeker) sumOf(seq int) (sum gist.Search, err error) {
	ok := false
	if s.sums, ok = s.view.Kept(seq, mailbox.Search, s.sums); ok {
		if sum, ok = gist.ReadSearch(s.sums); ok {
			return sum, nil
		}
	}
	texts, err := s.read(seq)
	if err == nil {
		sum, _ = gist.ReadSearch(texts[mailbox.Search])
	}
	return sum, err
}

// fields returns the header fields that the index has of a message, or has it have
// them; ok is false when it cannot. They are valid until the next call.
func (s *seeker) fields(seq int) (h gist.Header, ok bool, err error) {
	if s.head, ok = s.view.Kept(seq, mailbox.Head, s.head); ok {
		if h, ok = gist.ReadHeader(s.head); ok {
			return h, true, nil
		}
	}
	texts, err := s.read(seq)
	if err == nil {
		h, ok = gist.ReadHeader(texts[mailbox.Head])
	}
	return h, ok, err
}
