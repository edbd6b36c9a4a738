package mailbox

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"posthorn/internal/dovecot"
	"posthorn/internal/id"
	"posthorn/internal/picture"
)

// lines returns the uidlist's lines of drafts.
func (f *folder) lines(drafts []*draft) []dovecot.Record {
	recs := make([]dovecot.Record, len(drafts))
	for i, d := range drafts {
		recs[i].Name = []byte(d.base)
		if d.uidl != "" {
			recs[i].Fields, f.uidls = []byte("P"+d.uidl), true
		}
	}
	return recs
}

// Elsewhere is what messages of a folder were known by before they came here.
type Elsewhere struct {
	UIDValidity uint32
	UIDNext     uint32
	UIDs        map[string]uint32 // by ids, as in Incoming
}

// uidGap is how many UIDs are passed over behind those of elsewhere, where more may
// have been given since: here they would be other messages.
const uidGap = 1 << 20

// Renumber gives the folder name the UIDVALIDITY that its messages had elsewhere,
// and each the UID that it had there. Others get UIDs that were not given there.
// Sessions that look at the folder get ErrReset, clients that come from there
// download nothing again. It is done at once or not at all, and false when there
// would be no UIDs left. Errors: ErrNoFolder, ErrBadName.
func (b *Box) Renumber(name string, old Elsewhere) (bool, error) {
	f, _, err := b.enter(name)
	if err != nil {
		return false, err
	}
	defer b.store.leave(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err = f.refreshFor(nil); err == nil {
		err = f.need()
	}
	if err == nil && old.UIDNext > dovecot.MaxUID-2*uidGap-uint32(len(f.Records)) {
		return false, nil
	}
	if err == nil {
		err = f.renumber(old)
	}
	if err != nil {
		return false, fmt.Errorf("renumbering %s: %w", name, err)
	}
	f.end(ErrReset) // the next who enters reads it all anew
	return true, nil
}

// renumber is Renumber of an open folder whose messages were read.
func (f *folder) renumber(old Elsewhere) error {
	l, err := f.lock()
	if err != nil {
		return err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	recs, given := make(map[string]dovecot.Record), make(map[uint32]bool)
	next := old.UIDNext + uidGap
	table := picture.NewTable(&f.Picture, func(*picture.Record) bool { return true })
	list := dovecot.NewUidlist(f.dir, 0)
	defer list.Close()
	err = list.Load(func() { clear(recs) }, func(r dovecot.Record) {
		if table.Find(r.Name) < 0 {
			return // gone
		}
		name := string(r.Name)
		uid := old.UIDs[idOf(r.Name)]
		if uid == 0 || uid >= old.UIDNext || given[uid] {
			uid = next
			next++
		}
		given[uid] = true
		recs[name] = dovecot.Record{UID: uid, Fields: bytes.Clone(r.Fields), Name: []byte(name)}
	})
	if err != nil {
		return err
	}
	inOrder := slices.SortedFunc(maps.Values(recs), func(a, b dovecot.Record) int { return cmp.Compare(a.UID, b.UID) })
	fresh := dovecot.NewUidlist(f.dir, 0)
	defer fresh.Close()
	return fresh.Renumber(old.UIDValidity, next, inOrder)
}

// IDs returns the ids in the names of the messages of the folder name, as they are
// or were given by Incoming.ID. The names are durable when it returns. Errors:
// ErrNoFolder, ErrBadName.
func (b *Box) IDs(name string) (map[string]bool, error) {
	f, _, err := b.enter(name)
	if err != nil {
		return nil, err
	}
	defer b.store.leave(f)
	ids, err := f.ids()
	if err == nil {
		err = f.syncNames(true, true)
	}
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", name, err)
	}
	return ids, nil
}

func (f *folder) ids() (map[string]bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refreshFor(nil); err != nil {
		return nil, err
	}
	if err := f.need(); err != nil {
		return nil, err
	}
	ids := make(map[string]bool)
	for i := range f.Records {
		if one := idOf(f.Base(&f.Records[i])); one != "" {
			ids[one] = true
		}
	}
	return ids, nil
}

// idOf returns the id in a message's base name, "" where there is none.
func idOf(base []byte) string {
	_, rest, _ := strings.Cut(string(unique(base)), ".")
	if one, _, _ := strings.Cut(rest, "."); id.Valid(one) {
		return one
	}
	return ""
}
