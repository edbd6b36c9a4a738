package mailbox

import (
	"cmp"
	"slices"
)

// maxTombs bounds how many messages that are gone are remembered: for a client
// that was away for longer the gone are all UIDs that are not there.
const maxTombs = 8192

// tomb is a message that is gone.
type tomb struct {
	uid uint32
	mod uint64
}

// bury notes that the messages of uids are gone; a UID of 0 is none.
func (p *picture) bury(uids []uint32) {
	mod := uint64(0)
	for _, uid := range uids {
		if uid == 0 {
			continue
		}
		if mod == 0 {
			mod = p.next()
		}
		p.changed = append(p.changed, uid)
		p.tombs = append(p.tombs, tomb{uid, mod})
	}
	if mod != 0 {
		p.sortTombs()
	}
}

// sortTombs puts the tombs in the order of UIDs, of each the latest, and forgets
// the oldest when there are many.
func (p *picture) sortTombs() {
	slices.SortFunc(p.tombs, func(a, b tomb) int {
		return cmp.Or(cmp.Compare(a.uid, b.uid), cmp.Compare(b.mod, a.mod))
	})
	p.tombs = slices.CompactFunc(p.tombs, func(a, b tomb) bool { return a.uid == b.uid })
	if len(p.tombs) <= maxTombs {
		return
	}
	mods := make([]uint64, len(p.tombs))
	for i, t := range p.tombs {
		mods[i] = t.mod
	}
	slices.Sort(mods)
	p.forgotten = max(p.forgotten, mods[len(mods)-maxTombs/2])
	p.tombs = slices.DeleteFunc(p.tombs, func(t tomb) bool { return t.mod <= p.forgotten })
}

// HighestModSeq returns the highest modseq that the session was told of or can
// ask for (RFC 7162 3.1.2.1).
func (v *View) HighestModSeq() uint64 {
	v.folder.mu.Lock()
	defer v.folder.mu.Unlock()
	return max(v.mod, 1)
}

// Vanished returns the UIDs, rising, of messages that went after the modseq since
// and that the session does not count among its own; ok is false when some may be
// forgotten, so that all UIDs that are not there may be meant (RFC 7162 3.2.5).
func (v *View) Vanished(since uint64) (uids []uint32, ok bool, err error) {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	if since >= v.mod {
		return nil, true, nil
	}
	if err := f.need(); err != nil {
		return nil, false, err
	}
	for _, t := range f.tombs {
		if t.mod > since && !v.has(t.uid) {
			uids = append(uids, t.uid)
		}
	}
	return uids, since >= f.forgotten, nil
}

// has reports whether the session knows of the message uid.
func (v *View) has(uid uint32) bool {
	if v.uids != nil {
		_, ok := slices.BinarySearch(v.uids, uid)
		return ok
	}
	return uid < v.next && v.folder.find(uid) != nil
}
