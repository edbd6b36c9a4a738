package mailbox

import "context"

// View is one session's sight of a folder. Messages keep their sequence
// numbers (from 1) until Sync says otherwise, whatever others do. It is used
// by one goroutine at a time; Changed may be waited on by another.
type View struct{}

// Close leaves the folder.
func (v *View) Close() error { return nil }

// UIDValidity returns the folder's UIDVALIDITY.
func (v *View) UIDValidity() uint32 { return 0 }

// UIDNext returns the lowest UID that a message not seen yet can have.
func (v *View) UIDNext() uint32 { return 0 }

// ReadOnly reports whether the folder was selected read-only.
func (v *View) ReadOnly() bool { return false }

// Len returns the number of messages.
func (v *View) Len() int { return 0 }

// Recent returns the number of messages that are recent in this session.
func (v *View) Recent() int { return 0 }

// At returns message seq as far as it is in memory; no file is touched. seq is
// from 1 to Len, else the zero Message (UID 0) is returned.
func (v *View) At(seq int) Message { return Message{} }

// Measure is At with Size and Date known; it asks the file where the name does
// not say. Errors: ErrExpunged.
func (v *View) Measure(seq int) (Message, error) { return Message{}, errUnspecified }

// SeqOf returns the sequence number of uid, or 0.
func (v *View) SeqOf(uid uint32) int { return 0 }

// After returns the first sequence number whose UID is at least uid; Len()+1
// when there is none.
func (v *View) After(uid uint32) int { return 0 }

// Keywords returns the folder's keywords in the order of their letters.
func (v *View) Keywords() []string { return nil }

// KeywordRoom reports whether a keyword not in Keywords can still be stored
// (PERMANENTFLAGS \*, RFC 3501 7.1).
func (v *View) KeywordRoom() bool { return false }

// Sync takes in what others changed since the last Sync and returns what the
// session has to announce. With expunge false, messages that are gone keep
// their numbers: FETCH, STORE and SEARCH must not renumber (RFC 3501 7.4.1).
func (v *View) Sync(expunge bool) (Changes, error) { return Changes{}, errUnspecified }

// Store changes the flags of messages and returns the sequence numbers of
// those whose flags stand as asked, in the order given; messages that are gone
// are left out. Errors: ErrReadOnly, ErrKeywords, ErrBadKeyword.
func (v *View) Store(seqs []int, op Op, f Flags) (changed []int, err error) {
	return nil, errUnspecified
}

// Expunge removes the messages of uids, or with nil all that are \Deleted. The
// next Sync(true) announces them. Errors: ErrReadOnly.
func (v *View) Expunge(uids []uint32) error { return errUnspecified }

// Copy files copies of messages in the folder dest, all or none, and returns
// dest's UIDVALIDITY with the UIDs here and there in the same order. Messages
// that are gone are left out (all gone: ErrExpunged). When it returns nil the
// copies are durable. Errors: ErrNoFolder, ErrBadName, ErrKeywords, ErrExpunged.
func (v *View) Copy(seqs []int, dest string) (uidvalidity uint32, src, dst []uint32, err error) {
	return 0, nil, nil, errUnspecified
}

// Open opens message seq for reading. It stays readable until it is closed,
// whatever others do to the message. The caller closes it. Errors: ErrExpunged.
func (v *View) Open(seq int) (*Body, error) { return nil, errUnspecified }

// Changed is sent to after somebody else changed the folder: a Sync may find
// something. It is never closed, and it may be sent to without need.
func (v *View) Changed() <-chan struct{} { return nil }

// Wait returns nil when Changed would be sent to, or ctx's error.
func (v *View) Wait(ctx context.Context) error { return errUnspecified }
