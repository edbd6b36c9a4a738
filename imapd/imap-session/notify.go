package main

import (
	"errors"
	"slices"

	"posthorn/imapd/internal/event"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/scope"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// notify answers NOTIFY (RFC 5465 section 3.1). What was asked for before stands until
// the answer is OK.
func (s *Session) notify(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	n, err := event.Parse(c.Args)
	switch {
	case err != nil:
		return "", err
	case n.Unknown:
		return "", no("[BADEVENT (" + event.Supported + ")] not all of these events are known")
	}
	h := s.newHeed(n.Groups)
	if err := h.begin(n.Status); err != nil {
		h.close()
		if errors.Is(err, errOverflow) {
			h.log.IMAPFailed(h.conn.SID, h.conn.User, "NOTIFY", err)
			err = no("[NOTIFICATIONOVERFLOW] too many mailboxes")
		}
		return "", err
	}
	s.heed.close()
	s.heed = nil
	if n.Groups != nil {
		if err := s.announce(true); err != nil { // it is a NOOP too
			h.close()
			return "", broken{err}
		}
	}
	s.heed = h
	s.attend()
	return "NOTIFY completed", nil
}

// newHeed returns what looks after groups of events, but for what begin does.
func (s *Session) newHeed(groups []event.Group) *heed {
	h := &heed{Session: s}
	for _, g := range groups {
		if g.Kind == scope.Selected || g.Kind == scope.SelectedDelayed {
			h.selected = g
			continue
		}
		filter := []scope.Filter{g.Filter}
		s.canonical(filter)
		h.groups = append(h.groups, g)
	}
	return h
}

// attend has changes of the selected mailbox wake the session while the client wants
// to hear of them between commands.
func (s *Session) attend() {
	if s.view == nil {
		return
	}
	if s.idling != "" || s.heed.hears(event.MessageNew) {
		s.view.Notify(s.conn.Wake)
	} else {
		s.view.Notify(nil)
	}
}

// deaf reports whether the client wants to hear nothing of the selected mailbox but
// what it asks for: NOTIFY was given, and no such event (RFC 5465 section 3.1). What a
// command removes it is told of all the same.
func (s *Session) deaf() bool {
	return s.heed != nil && !s.heed.hears(event.MessageNew) && !s.removes
}

// removesMessages reports whether messages that a command removes are told with its
// answer.
func removesMessages(command string) bool {
	return slices.Contains([]string{"EXPUNGE", "UID EXPUNGE", "MOVE", "UID MOVE", "REPLACE", "UID REPLACE"}, command)
}

// tidings tells of all that happened, between two commands or in an IDLE. Without
// NOTIFY that is for an IDLE.
func (s *Session) tidings() error {
	if s.heed == nil && s.idling == "" {
		return nil
	}
	if s.idling != "" || s.heed.hears(event.MessageNew) {
		// RFC 5465 section 6.1.2: removals wait for a command, as an IDLE is.
		if err := s.announce(s.idling != "" || s.heed.selected.Kind == scope.Selected); err != nil {
			return err
		}
	}
	return s.heed.tell()
}

// tellNew tells of new messages from seq on what NOTIFY asked for (RFC 5465 section
// 5.2). Nothing becomes \Seen by it.
func (s *Session) tellNew(seq int) error {
	if s.heed == nil || !s.heed.selected.Fetches {
		return nil
	}
	for ; seq <= s.view.Len(); seq++ {
		if err := s.show(s.heed.selected.Fetch, seq); err != nil {
			return err
		}
	}
	return nil
}

// show tells of a message what a client asked for beforehand. Nothing becomes \Seen by
// it. Its error is that of a client that went away.
func (s *Session) show(what query.Fetch, seq int) error {
	f := fetcher{Session: s, Fetch: what, marked: map[int]bool{}}
	if s.uidOnly {
		f.Items &^= query.UID
	}
	f.known = f.keptAlone()
	if err := f.message(seq); err != nil && !errors.Is(err, mailbox.ErrExpunged) {
		s.log.IMAPFailed(s.conn.SID, s.conn.User, "NOTIFY", err)
	}
	return s.w.Err()
}
