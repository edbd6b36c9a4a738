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
	texts    mailbox.Texts     // what the index has of messages, in memory that is used again
	present  candidate         // the message that is looked at
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

// Facts returns what the index has of a message to sort and thread it by, or has it
// have that. It is valid until the next call.
func (s *Seeker) Facts(seq int) ([]byte, error) {
	facts, _, err := text(s, seq, mailbox.Search, gist.ReadFacts)
	return facts, err
}

// sums returns what the index has of a message to search it by, as Facts does.
func (s *Seeker) sums(seq int) (gist.Search, error) {
	sum, _, err := text(s, seq, mailbox.Search, gist.ReadSearch)
	return sum, err
}

// fields returns the header fields that the index has of a message, as Facts does; ok
// is false when it cannot have them.
func (s *Seeker) fields(seq int) (h gist.Header, ok bool, err error) {
	return text(s, seq, mailbox.Head, gist.ReadHeader)
}

// structure returns what the index has of the structure of a message, as Facts does.
func (s *Seeker) structure(seq int) (gist.Structure, error) {
	kept, _, err := text(s, seq, mailbox.Structure, gist.ReadStructure)
	return kept, err
}

// text returns what a column has of a message, which is made if it is not there. It is
// valid until the next call for that column.
func text[T any](s *Seeker, seq int, c mailbox.Column, read func([]byte) (T, bool)) (t T, ok bool, err error) {
	if s.texts[c], ok = s.view.Kept(seq, c, s.texts[c]); ok {
		if t, ok = read(s.texts[c]); ok {
			return t, true, nil
		}
	}
	ask := gist.Ask{Header: c == mailbox.Head, Search: c == mailbox.Search, Body: c == mailbox.Structure}
	texts, err := gist.Of(s.view, seq, ask, s.pool)
	if err == nil {
		t, ok = read(texts[c])
	}
	return t, ok, err
}
