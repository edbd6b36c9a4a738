package mailbox

import "slices"

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
	for _, t := range f.Tombs {
		if t.Mod > since && !v.has(t.UID) {
			uids = append(uids, t.UID)
		}
	}
	return uids, since >= f.Forgotten, nil
}

// has reports whether the session knows of the message uid.
func (v *View) has(uid uint32) bool {
	if v.uids != nil {
		_, ok := slices.BinarySearch(v.uids, uid)
		return ok
	}
	return uid < v.next && v.folder.Find(uid) != nil
}
