package gist

import (
	"fmt"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// Of reads message seq of a view and has the index keep what it needs of it. Errors:
// those of View.Open and of reading.
func Of(v *mailbox.View, seq int, pool *wire.Pool) (mailbox.Texts, error) {
	body, err := v.Open(seq)
	if err != nil {
		return mailbox.Texts{}, err
	}
	defer body.Close()
	texts, err := Make(body, body.Size(), pool)
	if err != nil {
		return texts, fmt.Errorf("taking message apart: %w", err)
	}
	v.Keep(seq, texts)
	return texts, nil
}
