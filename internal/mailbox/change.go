package mailbox

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/picture"
)

// Store changes the flags of messages and returns the sequence numbers of
// those whose flags stand as asked, in the order given; messages that are gone
// are left out. Errors: ErrReadOnly, ErrKeywords, ErrBadKeyword.
func (v *View) Store(seqs []int, op Op, flags Flags) (changed []int, err error) {
	changed, _, err = v.StoreUnchanged(seqs, math.MaxUint64, op, flags)
	return changed, err
}

// StoreUnchanged is Store for those of the messages whose modseq is not above
// since; it returns the others too (RFC 7162 3.1.3).
func (v *View) StoreUnchanged(seqs []int, since uint64, op Op, flags Flags) (changed, modified []int, err error) {
	if v.readOnly {
		return nil, nil, ErrReadOnly
	}
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	told, mod := v.mod == f.Mod, f.Mod
	if err := f.seeFlags(); err != nil {
		return nil, nil, err
	}
	defer f.save()
	if since < math.MaxUint64 {
		if err := f.refreshFor(v); err != nil { // what others did just now counts
			return nil, nil, err
		}
		seqs, modified = v.split(seqs, since)
	}
	told = told && f.Mod == mod
	changed, err = v.store(seqs, op, flags, told)
	if f.Mod != mod {
		f.audience.tell(v)
	}
	return changed, modified, err
}

// split parts messages by whether their modseq is above since.
func (v *View) split(seqs []int, since uint64) (same, modified []int) {
	for _, seq := range seqs {
		if r := v.folder.Find(v.uid(seq)); r != nil && r.Mod > since {
			modified = append(modified, seq)
		} else {
			same = append(same, seq)
		}
	}
	return same, modified
}

// store is Store in a folder that is locked and in memory; told says that the session
// knows all flags of before.
func (v *View) store(seqs []int, op Op, flags Flags, told bool) (changed []int, err error) {
	f := v.folder
	if op != Remove {
		if err := f.needKeywords(flags.Keywords); err != nil {
			return nil, err
		}
	}
	change, _ := bitsOf(flags, f.keywords)
	stands := make(map[uint32]bool, len(seqs))
	uids := v.uidsOf(seqs)
	words := flags.Keywords
	if op != Remove {
		words = f.unlettered(words)
	}
	if err := f.storeWords(uids, op, words); err != nil {
		return nil, err
	}
	err = f.retried(uids, func(uids []uint32) (again []uint32, err error) {
		return f.flag(uids, op, change, stands)
	}, func() { told = false })
	if told {
		v.mod = f.Mod // this session answers its own changes itself
	}
	for _, seq := range seqs {
		if stands[v.uid(seq)] {
			changed = append(changed, seq)
		}
	}
	return changed, err
}

// seeFlags has the picture in memory with the flags of now: where they are already
// what a session asks for nothing is written, so they must not be those of before
// another program took one away. And the index is ours to write, so that another
// process finds there what modseqs the changes have.
func (f *folder) seeFlags() error {
	if err := f.need(); err != nil {
		return err
	}
	f.dirty = f.dirty || f.rest.outdated()
	return f.catchUp()
}

func (v *View) uidsOf(seqs []int) []uint32 {
	uids := make([]uint32, 0, len(seqs))
	for _, seq := range seqs {
		if uid := v.uid(seq); uid != 0 {
			uids = append(uids, uid)
		}
	}
	return uids
}

// retried runs a batch for messages, and once more, after a new look at the
// folder, for those whose files had other names than we thought.
func (f *folder) retried(uids []uint32, run func(uids []uint32) (again []uint32, err error), rescanned func()) (first error) {
	for attempt := 0; attempt < maxLooks && len(uids) > 0; attempt++ {
		var again []uint32
		err := f.batch(func() (err error) {
			again, err = run(uids)
			return err
		})
		first = cmp.Or(first, err)
		if len(again) == 0 {
			break
		}
		f.dirty = true
		rescanned()
		if err := f.refresh(true); err != nil {
			return cmp.Or(first, err)
		}
		uids = again
	}
	return first
}

// flag renames the files of messages to what op makes of their flags, and
// returns the first error that is not cured by looking again.
func (f *folder) flag(uids []uint32, op Op, change picture.Bits, stands map[uint32]bool) (again []uint32, first error) {
	for _, uid := range uids {
		r := f.Find(uid)
		if r == nil {
			continue
		}
		switch err := f.setFlags(r, apply(r.Flags, op, change)); {
		case err == nil:
			stands[uid] = true
		case gone(err) || errors.Is(err, unix.EEXIST):
			again = append(again, uid)
		case first == nil: // the others may have room in their names
			first = err
		}
	}
	return again, first
}

// setFlags gives r's file the name that says b.
func (f *folder) setFlags(r *picture.Record, b picture.Bits) error {
	if b == r.Flags {
		return nil
	}
	info := picture.WriteInfo(f.Info(r), b)
	if err := f.rename(f.where(r.State), f.File(r), f.cur, string(f.Base(r))+info); err != nil {
		return err
	}
	f.ForgetInfo(r)
	r.State &^= picture.InNew
	f.SetInfo(r, []byte(info))
	f.Touch(r)
	return nil
}

// Expunge removes those of the messages of uids, or with nil of all, that are \Deleted
// at the moment: another program may have taken the flag away that the session saw. The
// next Sync(true) announces them. Errors: ErrReadOnly.
func (v *View) Expunge(uids []uint32) error {
	return v.writes(removal{keeper: v.box, deleted: true}, uids)
}

// Remove removes the messages of uids whatever their flags. The next Sync(true)
// announces them. Errors: ErrReadOnly.
func (v *View) Remove(uids []uint32) error { return v.writes(removal{keeper: v.box}, uids) }

// RemoveMoved is Remove for messages that were copied to a folder of box to: it has
// them, so where that is the box itself nothing is kept in the attic.
func (v *View) RemoveMoved(uids []uint32, to *Box) error {
	if to == v.box {
		return v.writes(removal{}, uids)
	}
	return v.Remove(uids)
}

// writes is expunge in a view that may change its folder.
func (v *View) writes(removed removal, uids []uint32) error {
	if v.readOnly {
		return ErrReadOnly
	}
	return v.expunge(removed, uids)
}

// expunge removes messages as removed says.
func (v *View) expunge(removed removal, uids []uint32) error {
	err := v.remove(uids, &removed)
	if removed.close(); removed.made {
		_ = removed.keeper.Sweep(time.Now()) // what cannot be removed now is met again
	}
	return err
}

func (v *View) remove(uids []uint32, removed *removal) error {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.need(); err != nil {
		return err
	}
	defer f.save()
	if removed.deleted && uids == nil {
		uids = v.all()
	}
	err := f.retried(uids, func(uids []uint32) (again []uint32, err error) {
		return f.unlink(uids, removed)
	}, func() {})
	if len(removed.uids) > 0 {
		f.forget(removed)
		f.dropWords()
		f.audience.tell(v)
		v.box.addSize(-removed.bytes, -len(removed.uids))
	}
	// What cannot be compacted now (the disk is full) stays correct, and a later
	// Expunge tries again.
	_ = f.compact()
	return err
}

// all returns the UIDs of the view's messages; the folder is in memory.
func (v *View) all() []uint32 {
	if v.uids == nil {
		return v.folder.UIDs()[:v.n]
	}
	return v.uids
}

// removal is what an Expunge has removed.
type removal struct {
	deleted bool // only what is \Deleted at the moment is
	uids    map[uint32]bool
	bytes   int64
	keeper  *Box   // in whose attic it is kept; nil: it is not
	shelf   *shelf // where, once something was
	made    bool   // a place there
}

// take removes the file of r, or has the attic take it.
func (m *removal) take(f *folder, r *picture.Record) (err error) {
	if m.keeper == nil || m.keeper.store.keep.Load() <= 0 {
		return f.remove(f.where(r.State), f.File(r))
	}
	for range maxLooks {
		if m.shelf == nil {
			if m.shelf, err = m.keeper.shelf(f); gone(err) {
				continue
			} else if err != nil {
				return fmt.Errorf("keeping what is removed: %w", err)
			}
			m.made = m.made || m.shelf.made
		}
		if err = m.shelf.take(f, r); !gone(err) || !m.shelf.swept() {
			return err
		}
		m.close()
	}
	return errors.New("keeping what is removed: another process removes it")
}

// close gives the place in the attic back.
func (m *removal) close() {
	if m.shelf != nil {
		m.shelf.close()
		m.shelf = nil
	}
}

// unlink removes the files of messages.
func (f *folder) unlink(uids []uint32, removed *removal) (again []uint32, err error) {
	for _, uid := range uids {
		r := f.Find(uid)
		if r == nil || removed.uids[uid] || removed.deleted && r.Flags&picture.BitDeleted == 0 {
			continue
		}
		bytes := f.bytes(r)
		err := removed.take(f, r)
		if gone(err) {
			again = append(again, uid)
			continue
		}
		if err != nil {
			return again, err
		}
		if removed.uids == nil {
			removed.uids = make(map[uint32]bool, len(uids))
		}
		removed.uids[uid] = true
		removed.bytes += bytes
	}
	return again, nil
}

// bytes returns the size of r's file.
func (f *folder) bytes(r *picture.Record) int64 {
	if r.Size != picture.Unknown {
		return int64(r.Size)
	}
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(f.where(r.State), f.File(r), &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return 0
	}
	return st.Size
}

// forget takes removed messages out of the picture.
func (f *folder) forget(removed *removal) {
	f.detach()
	f.Keep(func(r *picture.Record) bool { return !removed.uids[r.UID] })
	f.shape++
}

// compact rewrites the uidlist when most of its lines are of messages that are
// gone.
func (f *folder) compact() error {
	if f.list.Records() < 2*len(f.Records)+uidStep {
		return nil
	}
	l, err := f.lock()
	if err != nil {
		return err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	replaced := false
	err = f.list.Load(func() { replaced = true }, f.remember)
	if err != nil || replaced || f.cut {
		f.dirty = true
		f.list.Rewind() // the scan to come takes all of it in
		return err
	}
	last := uint32(0)
	if n := len(f.Records); n > 0 {
		last = f.Records[n-1].UID
	}
	return f.list.Rewrite(func(r *dovecot.Record) bool {
		_, waits := f.fresh[string(r.Name)]
		return waits || r.UID > last || f.Find(r.UID) != nil
	})
}
