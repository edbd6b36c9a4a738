package main

import (
	"errors"
	"slices"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/seek"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// Bounds of the searches of a session that are kept up to date.
const (
	maxStanding = 8
	maxStood    = 100_000 // results of all of them
)

// standing is what a session keeps of the searches of its selected mailbox whose
// results the client is told of as they change (RFC 5267 section 4.3).
type standing struct {
	searches []*standingSearch
	mod      uint64 // changes up to this modseq are told
}

// standingSearch is one of them.
type standingSearch struct {
	tag   string
	uid   bool
	key   query.Key    // ready to be looked for, without numbers of messages
	fetch *query.Fetch // of messages that come and are found; nil: nothing
	uids  []uint32     // what was found, rising
	lost  bool         // a message could not be looked at
}

// count returns how many results are kept.
func (t *standing) count() (n int) {
	for _, u := range t.searches {
		n += len(u.uids)
	}
	return n
}

// mayStand refuses a tag by which a search is known already.
func (s *Session) mayStand(tag string) error {
	if s.standing != nil && slices.ContainsFunc(s.standing.searches, func(u *standingSearch) bool { return u.tag == tag }) {
		return &wire.SyntaxError{Text: "tag of a search that is kept up to date"}
	}
	return nil
}

// stand keeps a search up to date whose results are seqs. The client is told where that
// is not done (RFC 5267 section 4.3.1).
func (s *Session) stand(c *wire.Command, f *finder, r query.Return, seqs []int, part bool) {
	t := s.standing
	if t == nil {
		t = &standing{mod: s.view.HighestModSeq()}
	}
	if part || len(t.searches) >= maxStanding || t.count()+len(seqs) > maxStood {
		s.noUpdate(c.Tag)
		return
	}
	u := &standingSearch{tag: c.Tag, uid: isUID(c), key: s.unnumbered(f.Key.Clone()), fetch: r.Fetch}
	for _, seq := range seqs {
		u.uids = append(u.uids, s.view.At(seq).UID)
	}
	t.searches = append(t.searches, u)
	s.standing = t
}

// noUpdate says that a search is not kept up to date.
func (s *Session) noUpdate(tag string) {
	s.w.Raw("* NO [NOUPDATE \"", tag, "\"] results are not kept up to date\r\n")
}

// unnumbered names the messages by UID that a key that is ready names by number: these
// are the numbers of the moment.
func (s *Session) unnumbered(k query.Key) query.Key {
	if k.Op == query.Seq {
		var uids wire.Set
		for _, r := range k.Set {
			if last := min(int(r.Hi), s.view.Len()); int(r.Lo) <= last {
				uids = append(uids, wire.Range{Lo: s.view.At(int(r.Lo)).UID, Hi: s.view.At(last).UID})
			}
		}
		return query.Key{Op: query.UIDs, Set: uids}
	}
	for i, sub := range k.Sub {
		k.Sub[i] = s.unnumbered(sub)
	}
	return k
}

// cancelUpdate answers CANCELUPDATE (RFC 5267 section 4.3.5).
func (s *Session) cancelUpdate(c *wire.Command) (string, error) {
	var tags []string
	for tags == nil || c.Args.Peek() == ' ' {
		if err := c.Args.Space(); err != nil {
			return "", err
		}
		tag, err := c.Args.String()
		if err != nil {
			return "", err
		}
		tags = append(tags, tag)
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	for _, tag := range tags {
		if s.mayStand(tag) == nil {
			return "", no("no such search is kept up to date")
		}
	}
	s.standing.searches = slices.DeleteFunc(s.standing.searches, func(u *standingSearch) bool { return slices.Contains(tags, u.tag) })
	if len(s.standing.searches) == 0 {
		s.standing = nil
	}
	return "CANCELUPDATE completed", nil
}

// tellRemoved tells which results are about to lose their numbers (RFC 5267 section
// 4.3.4): these go from the highest to the lowest, UIDs rise.
func (s *Session) tellRemoved(seqs []int, uids []uint32) {
	if s.standing == nil || len(uids) == 0 {
		return
	}
	for _, u := range s.standing.searches {
		var gone []uint32 // as the client knows them
		var left []uint32
		for i, uid := range uids {
			if u.has(uid) {
				gone = append(gone, u.number(seqs[len(seqs)-1-i], uid))
				left = append(left, uid)
			}
		}
		u.change(left, nil)
		s.tellResults(u, "REMOVEFROM", gone)
	}
}

// tellStanding tells what became of results since it was told last; messages from the
// number fresh on are new. It comes behind all that these messages are told by (RFC 5267
// section 4.3.2).
func (s *Session) tellStanding(fresh int) error {
	t := s.standing
	if t == nil || t.mod == s.view.HighestModSeq() {
		return nil
	}
	changed := s.view.Changed(t.mod, 1, s.view.Len())
	t.mod = s.view.HighestModSeq()
	for _, u := range slices.Clone(t.searches) {
		if err := s.lookAgain(u, changed, fresh); err != nil {
			return err
		}
		if u.lost || t.count() > maxStood {
			t.searches = slices.DeleteFunc(t.searches, func(other *standingSearch) bool { return other == u })
			s.noUpdate(u.tag)
		}
	}
	return s.w.Err()
}

// lookAgain looks whether messages are results of a search.
func (s *Session) lookAgain(u *standingSearch, changed []int, fresh int) error {
	look := seek.New(s.view, s.pool, u.key)
	var gone, come []uint32 // as the client knows them
	var left, joined []uint32
	for _, seq := range changed {
		found, err := look.Look(seq)
		if err != nil {
			if !errors.Is(err, mailbox.ErrExpunged) {
				s.log.IMAPFailed(s.conn.SID, s.conn.User, "SEARCH", err)
				u.lost = true
			}
			continue
		}
		uid := s.view.UID(seq)
		switch was := u.has(uid); {
		case found && !was:
			come = append(come, u.number(seq, uid))
			joined = append(joined, uid)
			if u.fetch != nil && seq >= fresh { // RFC 5465 section 7
				if err := s.show(*u.fetch, seq); err != nil {
					return err
				}
			}
		case !found && was:
			gone = append(gone, u.number(seq, uid))
			left = append(left, uid)
		}
	}
	u.change(left, joined)
	s.tellResults(u, "REMOVEFROM", gone)
	s.tellResults(u, "ADDTO", come)
	return nil
}

// tellResults tells of results; all are in the order of the mailbox, so that none has a
// position.
func (s *Session) tellResults(u *standingSearch, what string, numbers []uint32) {
	if numbers == nil {
		return
	}
	s.w.Raw("* ESEARCH (TAG \"", u.tag, "\")")
	if u.uid {
		s.w.Raw(" UID")
	}
	s.w.Raw(" ", what, " (0 ")
	s.w.Bytes(wire.AppendSet(nil, numbers))
	s.w.Raw(")\r\n")
}

// number is how the client has a message named.
func (u *standingSearch) number(seq int, uid uint32) uint32 {
	if u.uid {
		return uid
	}
	return uint32(seq)
}

// has reports whether a message is a result.
func (u *standingSearch) has(uid uint32) bool {
	_, is := slices.BinarySearch(u.uids, uid)
	return is
}

// change takes results out and puts others in; both lists rise.
func (u *standingSearch) change(left, joined []uint32) {
	if len(left) > 0 {
		u.uids = slices.DeleteFunc(u.uids, func(uid uint32) bool {
			_, is := slices.BinarySearch(left, uid)
			return is
		})
	}
	if len(joined) > 0 {
		u.uids = append(u.uids, joined...)
		slices.Sort(u.uids)
	}
}
