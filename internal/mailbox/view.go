package mailbox

import (
	"errors"
	"slices"
	"time"

	"posthorn/internal/picture"
)

// View is one session's sight of a folder. Messages keep their sequence
// numbers (from 1) until Sync says otherwise, whatever others do. It is used
// by one goroutine at a time; but what only asks for messages (At, File, Keep, Kept,
// Measure, Open, EmailID, Saved) may be called by many until the next other call.
type View struct {
	box      *Box
	folder   *folder
	readOnly bool
	notify   func() // the folder's audience protects it

	validity uint32   // UIDVALIDITY when the folder was selected
	n        int      // how many messages the session knows of
	uids     []uint32 // theirs by sequence number; nil: they are the folder's first n
	recent   []uint32 // the UIDs that are recent in this session, rising
	next     uint32   // no message from this UID on is one of them
	shape    uint64   // the folder's, when uids was last compared
	mod      uint64   // the folder's, when flags were last told
	keywords int      // how many were told
	behind   bool     // some of them are gone and were not announced
}

// Select opens a session's own view of a folder. A view that is not read-only
// takes \Recent and moves what is in new/ to cur/. The caller closes it.
// Errors: ErrNoFolder, ErrBadName.
func (b *Box) Select(name string, readOnly bool) (v *View, err error) {
	err = afresh(func() error {
		v, err = b.look(name, readOnly)
		return err
	})
	return v, err
}

// afresh repeats a look at a folder that turned out to have a new UIDVALIDITY,
// or another cur/: only the sessions it had are at their end.
func afresh(look func() error) error {
	err := look()
	if errors.Is(err, ErrReset) || errors.Is(err, ErrNoFolder) {
		err = look()
	}
	return err
}

func (b *Box) look(name string, readOnly bool) (*View, error) {
	f, _, err := b.enter(name)
	if err != nil {
		return nil, err
	}
	v := &View{box: b, folder: f, readOnly: readOnly, next: 1, shape: never}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over != nil {
		b.store.leave(f)
		return nil, f.over
	}
	f.join(v)
	if err := f.refreshFor(v); err != nil {
		f.part(v)
		b.store.leave(f)
		return nil, err
	}
	v.validity = f.list.UIDValidity()
	v.take(&Changes{}, true)
	v.mod, v.keywords = f.Mod, f.keywordCount()
	return v, nil
}

// never is the shape of a folder that no view was compared with.
const never = ^uint64(0)

// join enters a view; the first has the folder watched, as long as it is open.
func (f *folder) join(v *View) {
	f.audience.enter(v)
	if !f.watched {
		f.store.watch(f)
		f.watched = true
	}
}

// part is join the other way.
func (f *folder) part(v *View) {
	if f.audience.leave(v) == 0 {
		f.told = 0
	}
}

// Close leaves the folder.
func (v *View) Close() error {
	f := v.folder
	if f == nil {
		return nil
	}
	f.mu.Lock()
	f.part(v) // from here on nobody else looks at the view
	v.folder, v.n, v.uids, v.recent = nil, 0, nil, nil
	f.save()
	f.mu.Unlock()
	v.box.store.leave(f)
	return nil
}

// UIDValidity returns the folder's UIDVALIDITY. It stays the same for the
// View.
func (v *View) UIDValidity() uint32 { return v.validity }

// UIDNext returns the lowest UID that a message not seen yet can have.
func (v *View) UIDNext() uint32 {
	v.folder.mu.Lock()
	defer v.folder.mu.Unlock()
	return v.folder.list.Next()
}

// ReadOnly reports whether the folder was selected read-only.
func (v *View) ReadOnly() bool { return v.readOnly }

// Len returns the number of messages.
func (v *View) Len() int { return v.n }

// Recent returns the number of messages that are recent in this session.
func (v *View) Recent() int { return len(v.recent) }

// At returns message seq as far as the index knows it. seq is from 1 to Len,
// else the zero Message (UID 0) is returned. A message that is gone but was not
// announced yet has its UID and Gone.
func (v *View) At(seq int) (m Message) {
	v.folder.mu.Lock()
	defer v.folder.mu.Unlock()
	v.describe(&m, seq)
	return m
}

// describe is At into m, which is zero; the folder is locked.
func (v *View) describe(m *Message, seq int) {
	if seq < 1 || seq > v.n {
		return
	}
	uid := v.uid(seq)
	r := v.record(seq, uid)
	if r == nil || v.folder.over != nil {
		m.UID, m.Size, m.Gone = uid, -1, true
		return
	}
	describe(m, r)
	m.Flags = v.folder.flagsOf(r)
	if len(v.recent) > 0 {
		_, m.Recent = slices.BinarySearch(v.recent, uid)
	}
}

// uid returns the UID of message seq, or 0; the folder is locked. That of a folder
// that cannot be read any more is 0 too.
func (v *View) uid(seq int) uint32 {
	f := v.folder
	switch {
	case seq < 1 || seq > v.n:
		return 0
	case v.uids == nil && f.need() != nil:
		return 0
	case v.uids != nil:
		return v.uids[seq-1]
	}
	return f.Records[seq-1].UID
}

// record returns the record of message seq, nil when it is gone; uid called before
// has brought the folder into memory.
func (v *View) record(seq int, uid uint32) *picture.Record {
	if v.uids == nil && uid != 0 {
		return &v.folder.Records[seq-1]
	}
	return v.folder.Find(uid)
}

// After returns the first sequence number whose UID is at least uid; Len()+1
// when there is none.
func (v *View) After(uid uint32) int {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	i := v.n
	switch {
	case v.uids == nil && f.need() != nil:
	case v.uids != nil:
		i, _ = slices.BinarySearch(v.uids, uid)
	default:
		i = min(i, f.Search(uid))
	}
	return i + 1
}

// Keywords returns the folder's keywords in the order of their letters, then
// those that have none.
func (v *View) Keywords() []string {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	return append(keywordNames(picture.KeywordBits, f.keywords), f.unlettered(f.words.all)...)
}

// KeywordRoom reports whether a keyword not in Keywords can still be stored
// (PERMANENTFLAGS \*, RFC 3501 7.1).
func (v *View) KeywordRoom() bool {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keywords.Room() || len(f.words.all) < maxWords
}

// keywordCount returns how many keywords there are.
func (f *folder) keywordCount() (n int) {
	n = len(f.words.all)
	for i := range f.keywords {
		if f.keywords.Name(i) != "" {
			n++
		}
	}
	return n
}

// NewKeywords reports whether the folder has keywords that the session was not
// told of, and takes them as told.
func (v *View) NewKeywords() bool {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	told := v.keywords
	v.keywords = f.keywordCount()
	return v.keywords != told
}

// Sync takes in what others changed since the last Sync and returns what the
// session has to announce. With expunge false, messages that are gone keep
// their numbers: FETCH, STORE and SEARCH must not renumber (RFC 3501 7.4.1).
// Errors: ErrReset and ErrNoFolder (it was deleted or renamed), after which the
// View is of no use any more.
func (v *View) Sync(expunge bool) (Changes, error) {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	c := Changes{Exists: -1, Recent: -1}
	if err := f.refreshFor(v); err != nil {
		return c, err
	}
	recent, next := len(v.recent), v.next
	v.take(&c, expunge)
	if c.Exists >= 0 || len(v.recent) != recent {
		c.Recent = len(v.recent) // RFC 3501 7.3.2: when the size changes
	}
	if n := f.keywordCount(); n != v.keywords {
		v.keywords, c.KeywordsChanged = n, true
	}
	if f.Mod != v.mod {
		v.flags(&c, next)
		v.mod = f.Mod
	}
	return c, nil
}

// take compares the view's messages with the folder's: what is gone, if that
// may be announced, and what is new.
func (v *View) take(c *Changes, expunge bool) {
	f := v.folder
	if f.resting {
		v.rest()
		return
	}
	if f.shape != v.shape || v.behind && expunge {
		v.shape = f.shape
		if expunge {
			v.dropGone(c)
		} else if v.uids != nil {
			v.behind = true // perhaps: the next Sync(true) looks
		}
		v.takeNew(c)
	}
	if !v.behind && v.n == len(f.Records) {
		v.uids = nil // the same as the folder's
	}
}

// rest takes the messages of a folder that rests; a view that had some before has
// the same.
func (v *View) rest() {
	if f := v.folder; v.n == 0 {
		h := f.rest.file.Header()
		v.n, v.next, v.shape = int(h.Exists), h.Last+1, f.shape
		f.told = max(f.told, v.next)
	}
}

// dropGone drops the messages that are gone and notes their numbers.
func (v *View) dropGone(c *Changes) {
	v.behind = false
	if v.uids == nil {
		return // nothing was removed since
	}
	kept, at := make([]uint32, 0, v.n), 0
	records := v.folder.Records
	for i, uid := range v.uids {
		for at < len(records) && records[at].UID < uid {
			at++
		}
		if at < len(records) && records[at].UID == uid {
			kept = append(kept, uid)
		} else {
			c.Expunged, c.Vanished = append(c.Expunged, i+1), append(c.Vanished, uid)
		}
	}
	slices.Reverse(c.Expunged)
	v.uids, v.n = kept, len(kept)
	if len(c.Expunged) > 0 {
		v.recent = slices.DeleteFunc(v.recent, func(uid uint32) bool {
			_, ok := slices.BinarySearch(kept, uid)
			return !ok
		})
	}
}

// takeNew appends the messages that came. The first session that may write is
// the one to which a message is recent; a read-only one sees that it still is.
func (v *View) takeNew(c *Changes) {
	f := v.folder
	first := f.Search(v.next)
	if first == len(f.Records) {
		return
	}
	for i := first; i < len(f.Records) && (v.uids != nil || f.Unclaimed); i++ {
		r := &f.Records[i]
		if v.uids != nil {
			v.uids = append(v.uids, r.UID)
		}
		if r.State&picture.Unclaimed != 0 {
			v.recent = append(v.recent, r.UID)
			if !v.readOnly {
				r.State &^= picture.Unclaimed
			}
		}
	}
	if !v.readOnly && first == 0 {
		f.Unclaimed = false
	}
	v.n += len(f.Records) - first
	c.Exists = v.n
	v.next = f.Records[len(f.Records)-1].UID + 1
	if !v.readOnly {
		f.unshown.shown(v.next)
	}
	f.told = max(f.told, v.next)
}

// flags notes the messages below the UID next whose flags changed since they were
// told.
func (v *View) flags(c *Changes, next uint32) {
	f := v.folder
	if v.uids == nil {
		for i := range f.Search(next) {
			if f.Records[i].Mod > v.mod {
				c.Flags = append(c.Flags, i+1)
			}
		}
		return
	}
	at := 0
	for i, uid := range v.uids {
		for at < len(f.Records) && f.Records[at].UID < uid {
			at++
		}
		if uid < next && at < len(f.Records) && f.Records[at].UID == uid && f.Records[at].Mod > v.mod {
			c.Flags = append(c.Flags, i+1)
		}
	}
}

// Notify has told called after somebody else changed the folder: a Sync may find
// something. It is called without need, too, from any goroutine, and must not
// wait for anything; nil, as at first, tells nobody. After Notify or Close
// returned, what was told before is not called any more.
func (v *View) Notify(told func()) { v.folder.audience.notify(v, told) }

// describe gives m, which is zero, what sessions see of r. Flags are left to the caller.
func describe(m *Message, r *picture.Record) {
	m.UID, m.Size, m.ModSeq = r.UID, r.Octets(), r.Mod
	if r.Date != 0 {
		m.Date = time.Unix(int64(r.Date), 0)
	}
}
