package mailbox

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/id"
)

// importLock is held by who brings mail from elsewhere into a box.
const importLock = "posthorn-import.lock"

// LockImport takes the mailbox for one who brings mail from elsewhere. The lock
// ends with release or with the process. Errors: ErrLocked.
func (b *Box) LockImport() (release func(), err error) {
	fd, err := b.openLock(importLock, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("locking mailbox: %w", err)
	}
	err = retry(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if err != nil {
		unix.Close(fd)
		if err == unix.EWOULDBLOCK {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("locking mailbox: %w", err)
	}
	return func() { unix.Close(fd) }, nil
}

// Adopt gives the folder name, if nothing is or was in it as far as its uidlist
// knows, the UIDVALIDITY that its messages have elsewhere, so that they can keep
// their UIDs, and reports whether it has it. Sessions that look at the folder get
// ErrReset. Errors: ErrNoFolder, ErrBadName.
func (b *Box) Adopt(name string, uidvalidity uint32) (bool, error) {
	f, _, err := b.enter(name)
	if err != nil {
		return false, err
	}
	defer b.store.leave(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	ok, err := f.adoptValidity(uidvalidity)
	if err != nil {
		return false, fmt.Errorf("adopting the UIDVALIDITY of %s: %w", name, err)
	}
	return ok, nil
}

func (f *folder) adoptValidity(uidvalidity uint32) (bool, error) {
	if f.over != nil {
		return false, f.over
	}
	l, err := f.lock()
	if err != nil {
		return false, err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	list := dovecot.NewUidlist(f.dir, 0)
	defer list.Close()
	switch err := list.Load(func() {}, func(dovecot.Record) {}); {
	case err == nil && list.UIDValidity() == uidvalidity:
		return true, nil
	case err != nil && !errors.Is(err, dovecot.ErrNoList):
		return false, err
	case list.Records() > 0 || list.Damaged() > 0 || list.Torn():
		return false, nil
	}
	if used, err := f.holds(); used || err != nil {
		return false, err
	}
	if err := f.dir.Disk.RemoveAt(f.dir.FD, dovecot.UidlistName); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	fresh := dovecot.NewUidlist(f.dir, 0)
	defer fresh.Close()
	if err := fresh.Create(uidvalidity, 1, nil); err != nil {
		return false, err
	}
	f.end(ErrReset) // the next who enters reads it all anew
	return true, nil
}

// line moves drafts into the folder and writes their lines. Of those that bring
// UIDs, N is raised last: whoever is killed in between leaves the UIDs of what is
// yet to come free.
func (f *folder) line(tmp int, drafts []*draft) ([]dovecot.Record, error) {
	given := drafts[0].uid != 0
	if !given {
		if err := f.list.Reserve(uint32(len(drafts))); err != nil {
			return nil, err
		}
	}
	if err := f.account(func() error { return f.moveIn(tmp, drafts) }); err != nil {
		return nil, err
	}
	recs := make([]dovecot.Record, len(drafts))
	for i, d := range drafts {
		recs[i] = dovecot.Record{UID: d.uid, Name: []byte(d.base)}
		if d.uidl != "" {
			recs[i].Fields, f.uidls = []byte("P"+d.uidl), true
		}
	}
	if given {
		return recs, f.list.Enter(recs)
	}
	return recs, f.list.Append(recs)
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
	for i := range f.records {
		_, rest, _ := strings.Cut(string(unique(f.base(&f.records[i]))), ".")
		if one, _, _ := strings.Cut(rest, "."); id.Valid(one) {
			ids[one] = true
		}
	}
	return ids, nil
}

// holds reports whether there is a message in the folder, or an index of Dovecot's
// that knows of UIDs.
func (f *folder) holds() (bool, error) {
	if _, _, ok := dovecot.IndexUIDs(f.dir); ok {
		return true, nil
	}
	files, err := f.files()
	return len(files) > 0, err
}
