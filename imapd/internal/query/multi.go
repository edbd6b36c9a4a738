package query

import (
	"posthorn/imapd/internal/scope"
	"posthorn/imapd/internal/wire"
)

// Multi is a parsed ESEARCH.
type Multi struct {
	In []scope.Filter // nil: the selected mailbox
	Search
}

// ParseMulti takes the arguments of ESEARCH (RFC 7377 section 4).
func ParseMulti(s *wire.Scanner) (q Multi, err error) {
	if s.AcceptText("IN ") {
		if q.In, err = scope.ParseSources(s); err == nil {
			err = s.Space()
		}
		if err != nil {
			return q, err
		}
	}
	if q.Search, err = ParseSearch(s); err != nil {
		return q, err
	}
	if !q.Return.Extended {
		q.Return = Return{Extended: true, All: true} // RFC 7377 section 2.1
	}
	if !q.Lone() && (q.Return.Save || q.Key.Asks(Seq) || q.Key.Asks(Saved)) { // RFC 7377 section 2.2
		return q, bad("sequence numbers and saved results belong to the selected mailbox alone")
	}
	return q, nil
}

// Lone reports whether the selected mailbox alone is to be searched.
func (q Multi) Lone() bool {
	for _, f := range q.In {
		if f.Kind != scope.Selected {
			return false
		}
	}
	return true
}
