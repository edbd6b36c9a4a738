package mailbox

import (
	"posthorn/internal/dovecot"
	"posthorn/internal/statefile"
)

// maxSights is how many folders' counts are remembered: clients ask for all
// folders in turn, again and again, and to open one costs ten times a look at what
// can have changed in it.
const maxSights = 4096

// aspect is all that changes when a folder's messages, their flags, UIDs or
// modseqs do.
type aspect struct{ cur, new, list, state trace }

// aspect looks at the folder disk; ok is false where nothing can be remembered.
func (b *Box) aspect(disk string) (a aspect, id fileID, ok bool) {
	var err error
	if a.cur, id, err = traceOf(b.root.FD, disk+"/cur"); err != nil || a.cur == (trace{}) {
		return a, id, false
	}
	for _, part := range []struct {
		name string
		t    *trace
	}{{"new", &a.new}, {dovecot.UidlistName, &a.list}, {statefile.Name, &a.state}} {
		if *part.t, _, err = traceOf(b.root.FD, disk+"/"+part.name); err != nil || !part.t.old() {
			return a, id, false
		}
	}
	return a, id, a.cur.old()
}

// Status counts a folder's messages without selecting it: nothing loses its
// \Recent. Errors: ErrNoFolder, ErrBadName.
func (b *Box) Status(name string) (st Status, err error) {
	disk, err := diskName(name)
	if err != nil {
		return Status{}, err
	}
	seen, id, ok := b.aspect(disk)
	if ok {
		if st, known := b.store.sights.get(id, seen); known {
			return st, nil
		}
	}
	all := false
	err = afresh(func() error {
		st, all, err = b.count(name)
		return err
	})
	// What is recent, sizes that are not known, and what got no UID change without a
	// trace.
	if ok && err == nil && all && st.Recent == 0 && st.Size >= 0 {
		b.store.sights.put(id, seen, st, 1)
	}
	return st, err
}
