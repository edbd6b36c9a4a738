// Package seek looks for the messages of a folder that a key of SEARCH means (RFC 3501
// section 6.4.4): by what the index has of them as far as that goes, and else by reading
// them, on all processors.
package seek

import (
	"posthorn/imapd/internal/find"
	"posthorn/imapd/internal/gist"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// Seeker looks at one message after another for a search, in the same memory. It is
// used by one goroutine.
type Seeker struct {
	Key query.Key // prepared; it may be narrowed

	view     *mailbox.View
	pool     *wire.Pool
	deep     bool              // the key asks for more than a mailbox.Message says
	messages []mailbox.Message // those of a batch
	reader   *find.Reader      // nil: no file was read yet
	sums     []byte            // what the index has of the message looked at last
	head     []byte
	parts    []byte
	present  candidate // the message that is looked at
}

// New returns a Seeker of the messages of v that a prepared key means. Memory to read
// messages comes from pool.
func New(v *mailbox.View, pool *wire.Pool, key query.Key) *Seeker {
	return &Seeker{Key: key, view: v, pool: pool, deep: cost(key) > query.Flag}
}

// Hit is a message that was found.
type Hit struct {
	Seq   int
	Score int // of 100; 0 where no FUZZY key counts
}

// Look looks at message seq. One that is gone is mailbox.ErrExpunged.
func (s *Seeker) Look(seq int) (found bool, err error) {
	m := s.view.At(seq)
	_, found, err = s.matches(seq, &m)
	return found, err
}

// matches looks at message seq, which is m. One that is gone is mailbox.ErrExpunged.
func (s *Seeker) matches(seq int, m *mailbox.Message) (h Hit, found bool, err error) {
	if m.Gone {
		return h, false, mailbox.ErrExpunged
	}
	c := &s.present
	if s.deep { // else nothing is in it
		*c = candidate{}
		defer c.close()
	}
	c.Seeker, c.seq, c.m = s, seq, m
	found, err = c.meets(&s.Key)
	h.Seq = seq
	if c.scores > 0 {
		h.Score = c.score / c.scores
	}
	return h, found, err
}

// Sums returns what the index has of a message, or has it have that. It is valid
// until the next call.
func (s *Seeker) Sums(seq int) (sum gist.Search, err error) {
	ok := false
	if s.sums, ok = s.view.Kept(seq, mailbox.Search, s.sums); ok {
		if sum, ok = gist.ReadSearch(s.sums); ok {
			return sum, nil
		}
	}
	texts, err := gist.Of(s.view, seq, gist.Ask{Header: true}, s.pool)
	if err == nil {
		sum, _ = gist.ReadSearch(texts[mailbox.Search])
	}
	return sum, err
}

// fields returns the header fields that the index has of a message, or has it have
// them; ok is false when it cannot. They are valid until the next call.
func (s *Seeker) fields(seq int) (h gist.Header, ok bool, err error) {
	if s.head, ok = s.view.Kept(seq, mailbox.Head, s.head); ok {
		if h, ok = gist.ReadHeader(s.head); ok {
			return h, true, nil
		}
	}
	texts, err := gist.Of(s.view, seq, gist.Ask{Header: true}, s.pool)
	if err == nil {
		h, ok = gist.ReadHeader(texts[mailbox.Head])
	}
	return h, ok, err
}

// structure returns what the index has of the structure of a message, or has it have
// that. It is valid until the next call.
func (s *Seeker) structure(seq int) (kept gist.Structure, err error) {
	ok := false
	if s.parts, ok = s.view.Kept(seq, mailbox.Structure, s.parts); ok {
		if kept, ok = gist.ReadStructure(s.parts); ok {
			return kept, nil
		}
	}
	texts, err := gist.Of(s.view, seq, gist.Ask{Body: true}, s.pool)
	if err == nil {
		kept, _ = gist.ReadStructure(texts[mailbox.Structure])
	}
	return kept, err
}
