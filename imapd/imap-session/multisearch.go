package main

import (
	"errors"
	"slices"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/scope"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// multiSearch answers ESEARCH (RFC 7377), which searches mailboxes without selecting
// them. Those that do not exist, or that this user may not read, are passed over.
func (s *Session) multiSearch(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	q, err := query.ParseMulti(c.Args)
	switch {
	case err != nil:
		return "", err
	case s.utf8Accept && q.Charset != "":
		return "", &wire.SyntaxError{Text: "all text is UTF-8"} // RFC 9755 section 3
	}
	m := multiSearch{Session: s, command: c, query: q}
	if q.Lone() || slices.ContainsFunc(q.In, func(f scope.Filter) bool { return f.Kind == scope.Selected }) {
		if s.view == nil { // RFC 7377 section 2.2
			return "", &wire.SyntaxError{Text: "no mailbox is selected"}
		}
		if err := m.selected(); err != nil {
			return "", err
		}
	}
	if !q.Lone() {
		if err := m.others(); err != nil {
			return "", err
		}
	}
	return completed(c, m.gone), nil
}

// multiSearch is one ESEARCH at work.
type multiSearch struct {
	*Session
	command  *wire.Command
	query    query.Multi
	refused  bool // UPDATE was
	searched bool // the selected mailbox was
	gone     bool // some messages are
}

// selected searches the mailbox that is selected.
func (m *multiSearch) selected() error {
	if err := m.permit(m.command.Name); err != nil {
		return err
	}
	m.searched = true
	return m.search(m.Session)
}

// others searches all but the selected mailbox, and that too where a filter means it
// by its name.
func (m *multiSearch) others() error {
	m.canonical(m.query.In)
	names, err := m.meant(m.query.In)
	if err != nil {
		return err
	}
	for _, name := range names {
		if m.view != nil && name == m.folder {
			if !m.searched {
				err = m.selected()
			}
		} else {
			err = m.other(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// other searches one mailbox that is not selected.
func (m *multiSearch) other(name string) error {
	p, err := m.realm.Find(name, acl.Lookup|acl.Read)
	var view *mailbox.View
	if err == nil {
		view, err = p.Box.Select(p.Folder, true)
	}
	if errors.Is(err, realm.ErrNoRight) || errors.Is(err, mailbox.ErrNoFolder) || errors.Is(err, mailbox.ErrBadName) {
		return nil // RFC 7377 section 2.2
	}
	if err != nil {
		return err
	}
	defer view.Close()
	if m.query.Key.Asks(query.ModSeqs) {
		m.wantModSeqs() // of the selected mailbox, not of this one
	}
	there := *m.Session
	there.view, there.folder, there.at, there.saved = view, p.Name, p, nil
	return m.search(&there)
}

// search searches the mailbox that a session has open and answers for it if there is
// something to tell (RFC 7377 section 2.1).
func (m *multiSearch) search(s *Session) error {
	q := m.query.Search
	q.Key = q.Key.Clone() // is made ready for each mailbox
	f, err := s.newFinder(m.command, q)
	if err == nil {
		err = f.whole()
	}
	if err != nil {
		return err
	}
	if q.Return.Update && !m.refused {
		m.refused = true
		m.noUpdate(m.command.Tag)
	}
	found, err := f.results(q.Return)
	if err != nil {
		return err
	}
	m.gone = m.gone || f.gone
	if q.Return.Save {
		s.saved = s.uidsOf(found.saved(q.Return))
	}
	if found.empty() || q.Return == (query.Return{Extended: true, Save: true}) {
		return s.w.Err()
	}
	s.w.Raw("* ESEARCH (TAG \"", m.command.Tag, "\" MAILBOX ")
	s.w.AString(s.encode(s.folder))
	s.w.Raw(" UIDVALIDITY ")
	s.w.Num(uint64(s.view.UIDValidity()))
	s.w.Raw(") UID")
	s.writeResults(q.Return, found, s.numbersOf(true), f.modSeq(found))
	return s.w.Err()
}

// empty reports whether nothing was found, as far as it was looked for.
func (o found) empty() bool { return len(o.list) == 0 && len(o.part) == 0 && o.min == 0 && o.max == 0 }
