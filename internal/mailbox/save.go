package mailbox

import (
	"errors"
	"slices"

	"posthorn/internal/dovecot"
	"posthorn/internal/index"
	"posthorn/internal/picture"
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
		f.doWithout(err)
	}
}

// write writes what is other than in the index, or all of it.
func (f *folder) write() error {
	f.revive()
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
		file, err := index.Create(f.indexDir(), h, f.From(0, 0))
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
	for _, uid := range f.Changed {
		if r := f.Find(uid); r != nil {
			r.State &^= picture.Noted
		}
	}
	f.Changed = nil
	f.rest.slots = len(f.Records) + len(f.Tombs)
	f.rest.last = 0
	if n := len(f.Records); n > 0 {
		f.rest.last = f.Records[n-1].UID
	}
	if n := len(f.Tombs); n > 0 {
		f.rest.last = max(f.rest.last, f.Tombs[n-1].UID)
	}
}

// header sums the folder up.
func (f *folder) header() index.Header {
	h := index.Header{
		Boot: f.store.boot, UIDValidity: f.list.UIDValidity(), UIDNext: f.list.Next(),
		Slots: uint32(len(f.Records) + len(f.Tombs)), Exists: uint32(len(f.Records)),
		Unseen: uint32(f.Sums.Unseen), FirstUnseen: uint32(f.FirstUnseen() + 1), Deleted: uint32(f.Sums.Deleted),
		Size: f.Sums.Total(), ModSeq: f.Mod, Forgotten: f.Forgotten,
		Cur: f.times.cur.Nano(), New: f.times.new.Nano(), Words: f.words.sum, Folder: f.owner(),
	}
	if n := len(f.Records); n > 0 {
		h.Last = f.Records[n-1].UID
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

// revive forgets that messages were gone that are there again.
func (f *folder) revive() {
	if f.shape != f.rest.shape {
		f.Tombs = slices.DeleteFunc(f.Tombs, func(t picture.Tomb) bool { return f.Find(t.UID) != nil })
		f.rest.shape = f.shape
	}
}

// changes returns the records that are other than in the index, in the order of
// their slots; ok is false when they would not all stand where they belong.
func (f *folder) changes() (changes []index.Change, ok bool) {
	live, gone := f.Search(f.rest.last+1), f.Grave(f.rest.last+1)
	if live+gone != f.rest.slots {
		return nil, false
	}
	slices.Sort(f.Changed)
	f.Changed = slices.Compact(f.Changed)
	for _, uid := range f.Changed {
		if uid > f.rest.last {
			break
		}
		c := index.Change{Slot: uint32(f.Search(uid) + f.Grave(uid))}
		g := f.Grave(uid)
		switch r := f.Find(uid); {
		case r != nil:
			c.Record = r.Kept()
		case g < len(f.Tombs) && f.Tombs[g].UID == uid:
			c.Record = f.Tombs[g].Kept()
		default:
			return nil, false
		}
		changes = append(changes, c)
	}
	slot := uint32(f.rest.slots)
	for r := range f.From(live, gone) {
		changes = append(changes, index.Change{Slot: slot, Record: r})
		slot++
	}
	return changes, !slices.ContainsFunc(changes, func(c index.Change) bool { return c.Name == 0 && c.State&index.Gone == 0 })
}

// relist notes where the names stand in the uidlist, where that is not known, as
// after it was rewritten.
func (f *folder) relist() {
	lost := func(r picture.Record) bool { return r.Line == 0 }
	if f.rest.layout == f.list.Rewrites() && !slices.ContainsFunc(f.Records, lost) {
		return
	}
	list := dovecot.NewUidlist(f.dir, 0) // f.list goes on where it is: it has to see what others wrote meanwhile
	defer list.Close()
	err := list.Load(func() {}, func(l dovecot.Record) {
		if r := f.Find(l.UID); r != nil && string(f.Base(r)) == string(l.Name) {
			r.Line = smallLine(l.At)
		}
	})
	f.rest.layout, f.rest.whole = f.list.Rewrites(), true
	if err != nil || slices.ContainsFunc(f.Records, lost) {
		f.dirty = true
	}
}
