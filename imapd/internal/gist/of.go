package gist

import (
	"fmt"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// Of reads as much of message seq of a view as a column asks for, and has the index
// keep what it says. It returns the text of that column, and those of others that came
// with it. Errors: those of View.Open and of reading.
func Of(v *mailbox.View, seq int, column mailbox.Column, pool *wire.Pool) (t mailbox.Texts, err error) {
	if column != mailbox.Structure {
		header, ok, err := v.Header(seq, nil)
		if err != nil {
			return t, err
		}
		if ok {
			if t, err = Top(header, pool); err == nil {
				v.Keep(seq, t)
			}
			return t, err
		}
	}
	return whole(v, seq, column, pool)
}

// whole is Of a message that is read from end to end.
func whole(v *mailbox.View, seq int, column mailbox.Column, pool *wire.Pool) (mailbox.Texts, error) {
	body, err := v.Open(seq)
	if err != nil {
		return mailbox.Texts{}, err
	}
	defer body.Close()
	t, err := Make(body, body.Size(), pool)
	if err != nil {
		return t, fmt.Errorf("taking message apart: %w", err)
	}
	if column == mailbox.Structure && v.Keeps(seq, mailbox.Envelope) {
		v.Keep(seq, mailbox.Texts{mailbox.Structure: t[mailbox.Structure]})
	} else {
		v.Keep(seq, t)
	}
	return t, nil
}
