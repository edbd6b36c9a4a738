package main

import (
	"errors"
	"fmt"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/realm"
	"posthorn/internal/mailbox"
)

// sources are the messages that parts of a new one come from. The mailbox of the last
// stays open for the next.
type sources struct {
	view *mailbox.View
	name string
	body *mailbox.Body
}

// errNoSource is a URL that names nothing, or what the user has no right to read.
var errNoSource = errors.New("nothing there")

// section opens the message of a URL, and finds what of it is meant.
func (f *sources) section(s *Session, u query.URL) (section, error) {
	f.shut()
	if err := f.visit(s, u.Mailbox); err != nil {
		return section{}, err
	}
	seq := f.view.After(u.UID)
	if m := f.view.At(seq); m.UID != u.UID || u.Validity != 0 && u.Validity != f.view.UIDValidity() {
		return section{}, errNoSource
	}
	body, err := f.view.Open(seq)
	if err != nil {
		return section{}, missing(err)
	}
	f.body = body
	return f.piece(u.Section)
}

func (f *sources) piece(q query.Section) (a section, err error) {
	p := parts{src: f.body, size: f.body.Size()}
	if q.Kind != query.Whole || len(q.Path) > 0 {
		if p.root, err = mimepart.Parse(f.body, p.size); err != nil {
			return a, fmt.Errorf("taking message apart: %w", err)
		}
	}
	found, err := p.sections([]query.Section{q})
	switch {
	case err != nil:
		return a, err
	case found[0].none:
		return a, errNoSource
	}
	return found[0], nil
}

// visit opens a mailbox that the user may read. Nothing changes in it: \Seen and
// \Recent stay (RFC 4469 section 3).
func (f *sources) visit(s *Session, name string) error {
	p, err := s.realm.Find(mailbox.Canonical(name), acl.Read)
	if err != nil {
		return missing(err)
	}
	if f.view != nil && f.name == p.Name {
		return nil
	}
	f.leave()
	if f.view, err = p.Box.Select(p.Folder, true); err != nil {
		return missing(err)
	}
	f.name = p.Name
	return nil
}

// shut closes the message.
func (f *sources) shut() {
	if f.body != nil {
		f.body.Close()
	}
	f.body = nil
}

// leave closes what is open.
func (f *sources) leave() {
	f.shut()
	if f.view != nil {
		f.view.Close()
	}
	f.view = nil
}

// missing turns the errors that a wrong name has into errNoSource.
func missing(err error) error {
	for _, e := range []error{mailbox.ErrNoFolder, mailbox.ErrBadName, mailbox.ErrExpunged, realm.ErrNoRight} {
		if errors.Is(err, e) {
			return errNoSource
		}
	}
	return err
}
