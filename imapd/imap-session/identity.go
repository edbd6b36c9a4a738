package main

import (
	"posthorn/imapd/internal/query"
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
