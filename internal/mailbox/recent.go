package mailbox

import "posthorn/internal/picture"

// unshown is a range of UIDs: of messages that were filed with flags, so that
// their files stand in cur/ from the beginning, and that no session was told of
// as recent (RFC 3501 6.3.11 and 6.4.7). No file can hold this: the process
// knows it for as long as it lives.
type unshown struct{ lo, hi uint32 }

// add enters the UIDs from lo to hi.
func (u *unshown) add(lo, hi uint32) {
	if u.hi == 0 {
		u.lo = lo
	}
	u.hi = hi
}

// shown takes out what is below uid.
func (u *unshown) shown(uid uint32) {
	if u.lo = max(u.lo, uid); u.lo > u.hi {
		*u = unshown{}
	}
}

// markRecent gives the records that were read from files what no file says.
func (f *folder) markRecent() {
	for i := len(f.Records) - 1; i >= 0 && f.Records[i].UID >= f.unshown.lo && f.unshown.hi != 0; i-- {
		if f.Records[i].UID <= f.unshown.hi {
			f.Records[i].State |= picture.Unclaimed
			f.Unclaimed = true
		}
	}
}

// FirstUnseen returns the sequence number of the first message that is not
// \Seen, 0 when there is none.
func (v *View) FirstUnseen() int {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case v.uids != nil: // not as the folder is
		for i, uid := range v.uids {
			if r := f.Find(uid); r != nil && r.Flags&picture.BitSeen == 0 {
				return i + 1
			}
		}
		return 0
	case f.resting:
		return int(f.rest.file.Header().FirstUnseen)
	}
	return f.FirstUnseen() + 1
}
