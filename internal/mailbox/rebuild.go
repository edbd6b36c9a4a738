package mailbox

import (
	"errors"
	"fmt"
	"os"

	"posthorn/internal/dovecot"
	"posthorn/internal/index"
	"posthorn/internal/quota"
)

// Rebuilt is what Rebuild found and did.
type Rebuilt struct {
	Status
	Lines int  // of the uidlist that could not be read: left out, the file is kept beside it
	State bool // posthorn-state ended in the middle of a line, which was taken away
	Reset bool // no uidlist could be read, and so all UIDs are new
}

// Rebuild throws away what is disposable of the folder name, its index with the
// texts, makes it anew from the files, and mends the uidlist and posthorn-state as
// far as nothing is lost by that. Other processes may use the folder meanwhile;
// the box's Store has no views of it. Errors: ErrNoFolder, ErrBadName.
func (b *Box) Rebuild(name string) (Rebuilt, error) {
	var r Rebuilt
	f, _, err := b.enter(name)
	if err != nil {
		return r, err
	}
	err = f.rebuild(&r)
	b.store.leave(f)
	if err == nil {
		r.Status, err = b.Status(name)
	}
	if err != nil {
		return r, fmt.Errorf("rebuilding %s: %w", name, err)
	}
	return r, nil
}

func (f *folder) rebuild(r *Rebuilt) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.mend(r); err != nil {
		return err
	}
	if r.State, err = f.state.Mend(); err != nil {
		return err
	}
	f.rest.close()
	f.texts.close()
	if d := f.indexDir(); d.FD >= 0 {
		if err := d.Locked(func() error { return index.Remove(d) }); err != nil {
			return err
		}
	}
	f.loaded, f.resting, f.rest.off = false, false, false
	return f.refresh(false)
}

// mend rewrites a uidlist in which lines cannot be read, or makes one.
func (f *folder) mend(r *Rebuilt) error {
	l, err := f.lock()
	if err != nil {
		return err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	have, err := f.dir.Has(dovecot.UidlistName)
	if err != nil {
		return err
	}
	if err := f.loadTail(); err != nil {
		return err
	}
	r.Reset = have && f.list.Rewrites() > 0
	if r.Lines = f.list.Damaged(); f.list.Torn() {
		r.Lines++
	}
	defer f.list.Rewind() // the scan to come takes all of it in
	if r.Lines == 0 {
		return nil
	}
	return f.list.Reserve(0)
}

// Recount throws away what the box noted of its size: it is counted when it is
// asked for next.
func (b *Box) Recount() error {
	err := b.root.Disk.RemoveAt(b.root.FD, quota.File)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
