package gist

import (
	"fmt"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// Ask says which texts of a message are asked for.
type Ask struct {
	Header bool // Envelope, Head and Search
	Search bool // of these Search at least
	Body   bool // Structure
}

// Of reads as much of message seq of a view as is asked for, has the index keep what
// that says, and returns it. Errors: those of View.Open and of reading.
func Of(v *mailbox.View, seq int, ask Ask, pool *wire.Pool) (t mailbox.Texts, err error) {
	ok := false
	if !ask.Body {
		t, ok, err = front(v, seq, ask, pool)
	}
	if !ok && err == nil {
		t, err = whole(v, seq, ask, pool)
	}
	if err == nil {
		v.Keep(seq, t)
	}
	return t, err
}

// front makes the texts of a header from the front of the file; ok is false when it
// does not end there.
func front(v *mailbox.View, seq int, ask Ask, pool *wire.Pool) (t mailbox.Texts, ok bool, err error) {
	header, ok, err := v.Header(seq, nil)
	if err == nil && ok {
		t, err = Top(header, ask, pool)
	}
	return t, ok, err
}

func whole(v *mailbox.View, seq int, ask Ask, pool *wire.Pool) (t mailbox.Texts, err error) {
	body, err := v.Open(seq)
	if err != nil {
		return t, err
	}
	defer body.Close()
	if t, err = Make(body, body.Size(), ask, pool); err != nil {
		return t, fmt.Errorf("taking message apart: %w", err)
	}
	return t, nil
}
