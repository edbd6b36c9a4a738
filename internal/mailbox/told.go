package mailbox

import (
	"slices"

	"posthorn/internal/index"
)

// entered reports whether some session has been told of the folder's messages.
func (f *folder) entered() bool {
	for v := range f.audience.all() {
		if v.shape != never {
			return true
		}
	}
	return false
}

// asOf returns the UIDs of the messages that were there when the index had the header
// h: a session that a resting folder was opened for was told how many they are, and no
// more.
func asOf(recs []index.Record, h index.Header) (uids []uint32) {
	for i := range recs {
		if recs[i].State&index.Gone == 0 || recs[i].ModSeq > h.ModSeq {
			uids = append(uids, recs[i].UID)
		}
	}
	return uids
}

// remind gives the views that rested with the folder the messages that they know:
// those that were there when it lay down, or else uids. Errors: ErrReset when it
// cannot be known which they are, as when the index was removed meanwhile, and mail
// with it.
func (f *folder) remind(uids []uint32) error {
	if f.slept != nil {
		uids, f.slept = f.slept.UIDs(), nil
	}
	for v := range f.audience.all() {
		if v.uids != nil || v.n == 0 {
			continue
		}
		n, _ := slices.BinarySearch(uids, v.next)
		if n != v.n {
			f.end(ErrReset)
			return f.over
		}
		v.uids, v.behind = uids[:n:n], true
	}
	return nil
}

// detach gives the views lists of their own, for what is done to the picture next
// moves its records.
func (f *folder) detach() {
	var uids []uint32
	for v := range f.audience.all() {
		if v.uids != nil || v.n == 0 {
			continue
		}
		if uids == nil {
			uids = f.UIDs()
		}
		v.uids = uids[:v.n:v.n]
	}
}
