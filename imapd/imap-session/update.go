package main

import (
	"errors"

	"posthorn/imapd/internal/event"
	"posthorn/internal/mailbox"
)

// announce tells the client what changed in the selected folder since the last
// time; with expunge false, removals wait. The order is that of
// mailbox.Changes. A folder that is not the one that was selected any more ends
// the session: nothing in IMAP takes back what the client knows of it.
func (s *Session) announce(expunge bool) error {
	if s.view == nil {
		return nil
	}
	if err := s.stands(); err != nil || s.deaf() {
		return err
	}
	known := s.view.Len()
	changes, err := s.view.Sync(expunge)
	if errors.Is(err, mailbox.ErrReset) || errors.Is(err, mailbox.ErrNoFolder) {
		return err
	}
	if err != nil {
		// The picture stays as it was; the next command tries again.
		s.log.IMAPFailed(s.conn.SID, s.conn.User, "sync", err)
		return nil
	}
	s.tellRemoved(changes.Expunged, changes.Vanished)
	s.writeExpunged(changes.Expunged, changes.Vanished)
	if changes.Exists >= 0 {
		s.numbered(changes.Exists, "EXISTS")
	}
	if changes.Recent >= 0 && !s.rev2 {
		s.numbered(changes.Recent, "RECENT")
	}
	if changes.KeywordsChanged {
		s.writeFlagsResponse()
	}
	if s.heed == nil || s.heed.hears(event.FlagChange) {
		for _, seq := range changes.Flags {
			s.writeFlagsOf(seq, s.rev2 || s.heed != nil) // RFC 9051 section 7.5.2, RFC 5465 section 5.1
		}
	}
	fresh := known - len(changes.Expunged) + 1
	if err := s.tellNew(fresh); err != nil {
		return err
	}
	return s.tellStanding(fresh)
}

func (s *Session) numbered(n int, what string) {
	s.w.Raw("* ")
	s.w.Num(uint64(n))
	s.w.Raw(" ", what, "\r\n")
}

// introduce tells the client of keywords that it does not know before it meets
// them with a message.
func (s *Session) introduce(m mailbox.Message) {
	if len(m.Flags.Keywords) > 0 && s.view.NewKeywords() {
		s.writeFlagsResponse()
	}
}

// writeFlagsOf writes the FETCH response with a message's flags. Of one that another
// session has just removed there is none: it would seem to have no flags.
func (s *Session) writeFlagsOf(seq int, uid bool) {
	m := s.view.At(seq)
	if m.Gone {
		return
	}
	s.introduce(m)
	s.writeFetch(seq, m.UID)
	if (uid || s.resync) && !s.uidOnly { // RFC 7162 section 3.2.4
		s.w.Raw("UID ")
		s.w.Num(uint64(m.UID))
		s.w.Raw(" ")
	}
	s.w.Raw("FLAGS ")
	s.writeFlags(m)
	if s.modSeqs {
		s.w.Raw(" ")
		s.writeModSeq(m)
	}
	s.w.Raw(")\r\n")
}
