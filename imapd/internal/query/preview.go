package query

import "posthorn/imapd/internal/wire"

// preview takes the modifiers of a PREVIEW (RFC 8970 section 6). Other lists
// behind it are not its own.
func (f *Fetch) preview(s *wire.Scanner) error {
	f.Items |= Preview
	if !s.AcceptText(" (LAZY") {
		return nil
	}
	f.Items |= PreviewLazy
	for s.AcceptText(" LAZY") {
	}
	return s.Expect(')')
}
