package client

import (
	"errors"
	"io"

	"posthorn/internal/verdict"
	"posthorn/queued/queue-remote/internal/recode"
)

// needsUTF8Header reports whether a message for which SMTPUTF8 was asked has UTF-8
// in its header or in that of a part: no host without SMTPUTF8 may have it
// (RFC 6531 3.4, 3.6). An error is that of reading it.
func (t *transaction) needsUTF8Header() (bool, error) {
	found := t.m.Content
	if !t.m.UTF8 || found.HeaderUTF8 || !found.Body8Bit {
		return t.m.UTF8 && found.HeaderUTF8, nil
	}
	_, err := recode.Look(t.m.Open())
	if errors.Is(err, recode.ErrCannot) {
		return errors.Is(err, recode.ErrHeader), nil
	}
	return false, err
}

// sevenBit replaces a message with 8-bit text by its 7-bit form when the server
// does not offer 8BITMIME (RFC 6152 3). It returns the verdict of a message that
// has none.
func (t *transaction) sevenBit() (v verdict.Verdict, refused bool) {
	_, offered := t.c.Ext("8BITMIME")
	if offered || !t.m.Content.HeaderUTF8 && !t.m.Content.Body8Bit {
		return v, false
	}
	plan, err := recode.Look(t.m.Open())
	if err == nil {
		open := t.m.Open
		t.m.Open = func() io.Reader { return plan.Reader(open()) }
		t.m.EightBit = false
		t.m.Content, err = Scan(t.m.Open(), 2*t.m.Content.Size)
	}
	switch {
	case err == nil:
		return v, false
	case errors.Is(err, recode.ErrCannot):
		return verdict.New(verdict.Never, "5.6.3", "the host does not offer 8BITMIME, and "+err.Error()), true
	}
	return verdict.Of(err), true
}
