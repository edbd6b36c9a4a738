// Package query parses what FETCH, SEARCH, STORE, LIST and others ask for into values
// that the session evaluates (RFC 3501 sections 6.3.8 and 6.4.4 to 6.4.6). It bounds
// numbers and nesting; errors are those of package wire, for a BAD answer.
package query

import "posthorn/imapd/internal/wire"

func bad(text string) error { return &wire.SyntaxError{Text: text} }
