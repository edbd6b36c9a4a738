package main

import (
	"posthorn/imapd/internal/query"
	"posthorn/internal/mailbox"
)

// writeIdentity writes when a message came into its folder (RFC 8514 section 4.2)
// and what it is known by (RFC 8474 section 5). A message that is gone by now has
// neither.
func (f *fetcher) writeIdentity(seq int, sep *separator) {
	if f.Items&query.SaveDate != 0 {
		sep.item("SAVEDATE ")
		if t, err := f.view.Saved(seq); err == nil && !t.IsZero() {
			f.w.Time(t)
		} else {
			f.w.Raw("NIL")
		}
	}
	if f.Items&query.EmailID != 0 {
		if id, err := f.view.EmailID(seq); err == nil {
			sep.item("EMAILID ")
			f.w.Raw("(", id, ")")
		}
	}
	if f.Items&query.ThreadID != 0 {
		sep.item("THREADID NIL")
	}
}

// saved compares the day on which a message came into its folder, or where that
// is not known the internal date (RFC 8514 section 4.3).
func (c *candidate) saved(k *query.Key) (bool, error) {
	t, err := c.view.Saved(c.seq)
	if err == nil && t.IsZero() {
		var m mailbox.Message
		m, err = c.view.Measure(c.seq)
		t = m.Date
	}
	if err != nil {
		return false, err
	}
	switch k.Op {
	case query.SavedBefore:
		return day(t).Before(k.Date), nil
	case query.SavedOn:
		return day(t).Equal(k.Date), nil
	}
	return !day(t).Before(k.Date), nil
}
