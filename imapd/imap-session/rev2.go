package main

import (
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// leave is unselect before another mailbox is selected (RFC 9051 section 6.3.2, RFC
// 7162 section 3.2.11).
func (s *Session) leave() {
	if s.view != nil && (s.rev2 || s.resync) {
		s.w.Raw("* OK [CLOSED] previous mailbox is closed\r\n")
	}
	s.unselect()
}

// writeSelected writes the LIST response of SELECT and EXAMINE, with OLDNAME where
// the client called the mailbox otherwise (RFC 9051 sections 6.3.2 and 6.3.9.7).
// args are those of the command.
func (s *Session) writeSelected(args wire.Scanner) error {
	a := lister{Session: s, List: query.List{Extended: true}}
	if err := a.look(); err != nil {
		return err
	}
	if args.Accept(' ') {
		if old, err := args.AString(); err == nil && old != s.folder {
			a.oldName = old
		}
	}
	a.name(s.folder)
	return nil
}
