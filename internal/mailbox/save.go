package mailbox

import (
	"cmp"
	"errors"
	"iter"
	"slices"

	"posthorn/internal/dovecot"
	"posthorn/internal/index"
)

// save brings the index up to the picture. What cannot be written costs time
// later and nothing else.
func (f *folder) save() {
	if !f.loaded || f.rest.off || f.over != nil {
		return
	}
	if f.rest.stale {
		return // the next scan takes in first what another process wrote
	}
	f.writeTexts()
	if f.rest.layout != f.list.Rewrites() {
		f.relist()
	}
	err := f.write()
	if errors.Is(err, index.ErrStale) {
		f.rest.stale, f.dirty = true, true
	} else if err != nil && !errors.Is(err, index.ErrBusy) {
		f.rest.close()
		f.rest.off = f.forgo(err)
	}
}

// write writes what is other than in the index, or all of it.
func (f *folder) write() error {
	h := f.header()
	if f.rest.file != nil && !f.rest.whole {
		changes, ok := f.changes()
		switch {
		case ok && len(changes) == 0 && f.rest.file.Header().Same(h):
			return nil
		case ok:
			err := f.indexDir().Locked(func() error { return f.rest.file.Write(h, changes) })
			if err == nil {
				f.saved()
			}
			return err
		}
	}
	f.relist()
	h = f.header()
	return f.indexDir().Locked(func() error {
		file, err := index.Create(f.indexDir(), h, f.from(0, 0))
		if err != nil {
			return err
		}
		f.rest.close()
		f.rest.file, f.rest.whole = file, false
		f.saved()
		return nil
	})
}

// saved notes that the index is what the picture is.
func (f *folder) saved() {
	for _, uid := range f.changed {
		if r := f.find(uid); r != nil {
			r.state &^= noted
		}
	}
	f.changed = nil
	f.rest.slots = len(f.records) + len(f.tombs)
	f.rest.last = 0
	if n := len(f.records); n > 0 {
		f.rest.last = f.records[n-1].uid
	}
	if n := len(f.tombs); n > 0 {
		f.rest.last = max(f.rest.last, f.tombs[n-1].uid)
	}
}

// header sums the folder up.
func (f *folder) header() index.Header {
	h := index.Header{
		Boot: f.store.boot, UIDValidity: f.list.UIDValidity(), UIDNext: f.list.Next(),
		Slots: uint32(len(f.records) + len(f.tombs)), Exists: uint32(len(f.records)),
		Unseen: uint32(f.sums.unseen), FirstUnseen: uint32(f.firstUnseen() + 1), Deleted: uint32(f.sums.deleted),
		Size: f.sums.total(), ModSeq: f.mod, Forgotten: f.forgotten,
		Cur: f.times.cur.Nano(), New: f.times.new.Nano(), Words: f.words.sum, Folder: f.owner(),
	}
	if n := len(f.records); n > 0 {
		h.Last = f.records[n-1].uid
	}
	if f.uidls {
		h.Flags |= index.SavedUIDL
	}
	if f.news > 0 {
		h.Flags |= index.HasNew
	}
	h.Columns = f.rest.columns()
	for i, c := range f.texts.columns {
		if c != nil {
			h.Columns[i] = c.ID()
		}
	}
	place, ok := f.list.Place()
	h.List = index.Stamp{Inode: place.Inode, Size: place.Size, Time: place.Time}
	h.Lines, h.LastLine = uint32(place.Lines), place.Last
	if ok && !f.dirty && len(f.fresh) == 0 && !f.alarm.Load() {
		h.Flags |= index.Settled
	}
	return h
}

// changes returns the records that are other than in the index, in the order of
// their slots; ok is false when they would not all stand where they belong.
func (f *folder) changes() (changes []index.Change, ok bool) {
	if f.shape != f.rest.shape { // a message may be there again
		f.tombs = slices.DeleteFunc(f.tombs, func(t tomb) bool { return f.find(t.uid) != nil })
		f.rest.shape = f.shape
	}
	live, gone := f.search(f.rest.last+1), f.grave(f.rest.last+1)
	if live+gone != f.rest.slots {
		return nil, false
	}
	slices.Sort(f.changed)
	f.changed = slices.Compact(f.changed)
	for _, uid := range f.changed {
		if uid > f.rest.last {
			break
		}
		c := index.Change{Slot: uint32(f.search(uid) + f.grave(uid))}
		g := f.grave(uid)
		switch r := f.find(uid); {
		case r != nil:
			c.Record = r.kept()
		case g < len(f.tombs) && f.tombs[g].uid == uid:
			c.Record = f.tombs[g].kept()
		default:
			return nil, false
		}
		changes = append(changes, c)
	}
	slot := uint32(f.rest.slots)
	for r := range f.from(live, gone) {
		changes = append(changes, index.Change{Slot: slot, Record: r})
		slot++
	}
	return changes, !slices.ContainsFunc(changes, func(c index.Change) bool { return c.Name == 0 && c.State&index.Gone == 0 })
}

// grave returns the index of the first tomb whose UID is at least uid.
func (p *picture) grave(uid uint32) int {
	i, _ := slices.BinarySearchFunc(p.tombs, uid, func(t tomb, uid uint32) int { return cmp.Compare(t.uid, uid) })
	return i
}

// from yields the records as the index has them, from the indexes of the first
// message that is there and the first that is gone, in the order of their UIDs.
func (p *picture) from(live, gone int) iter.Seq[index.Record] {
	return func(yield func(index.Record) bool) {
		for live < len(p.records) || gone < len(p.tombs) {
			var x index.Record
			if gone == len(p.tombs) || live < len(p.records) && p.records[live].uid < p.tombs[gone].uid {
				x = p.records[live].kept()
				live++
			} else {
				x = p.tombs[gone].kept()
				gone++
			}
			if !yield(x) {
				return
			}
		}
	}
}

// kept returns the record as the index has it.
func (r *record) kept() index.Record {
	return index.Record{
		UID: r.uid, Flags: uint32(r.flags), Size: r.size, Virtual: r.vsize, Date: int64(r.date), ModSeq: r.mod,
		Name: r.line, NameLen: uint32(r.len), State: uint32(r.state & keptState), Entries: r.texts,
	}
}

func (t tomb) kept() index.Record {
	return index.Record{UID: t.uid, State: index.Gone, ModSeq: t.mod}
}

// relist notes where the names stand in the uidlist, where that is not known, as
// after it was rewritten.
func (f *folder) relist() {
	lost := func(r record) bool { return r.line == 0 }
	if f.rest.layout == f.list.Rewrites() && !slices.ContainsFunc(f.records, lost) {
		return
	}
	list := dovecot.NewUidlist(f.dir, 0) // f.list goes on where it is: it has to see what others wrote meanwhile
	defer list.Close()
	err := list.Load(func() {}, func(l dovecot.Record) {
		if r := f.find(l.UID); r != nil && string(f.base(r)) == string(l.Name) {
			r.line = smallLine(l.At)
		}
	})
	f.rest.layout, f.rest.whole = f.list.Rewrites(), true
	if err != nil || slices.ContainsFunc(f.records, lost) {
		f.dirty = true
	}
}
