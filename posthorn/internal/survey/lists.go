package survey

import (
	"errors"
	"fmt"

	"posthorn/internal/dovecot"
)

// spare is how many lines of messages that are gone a uidlist may have, beyond
// one for each that is there: servers rewrite it only now and then.
const spare = 1000

// list looks at a folder's uidlist.
func (w *walk) list(d dovecot.Dir, f *Folder, bases map[string]string) {
	path := d.Path + "/" + dovecot.UidlistName
	if have, err := d.Has(dovecot.UidlistName); err == nil && !have {
		return // made when the folder is first opened
	}
	w.file(d, dovecot.UidlistName)
	l := dovecot.NewUidlist(d, 0)
	defer l.Close()
	lost, names := 0, make(map[string]uint32)
	err := l.Load(func() {}, func(r dovecot.Record) {
		name := string(r.Name)
		if _, ok := bases[name]; !ok {
			lost++
		}
		if uid := names[name]; uid != 0 {
			w.find(path, fmt.Sprintf("%s as UID %d and %d", name, uid, r.UID), "one UID for each file")
		}
		names[name] = r.UID
	})
	f.UIDValidity, f.Next = l.UIDValidity(), l.Next()
	switch {
	case errors.Is(err, dovecot.ErrNoList):
		w.find(path, "no header that can be read", "a line such as 3 V1700000000 N1")
	case err != nil:
		w.find(path, err.Error(), "a file that its owner can read")
	}
	if n := l.Damaged(); n > 0 {
		w.find(path, fmt.Sprintf("%d lines that cannot be read or whose UID does not rise", n), "none")
	}
	if l.Torn() {
		w.find(path, "a last line without its end", "whole lines")
	}
	if lost > len(bases)+spare {
		w.find(path, fmt.Sprintf("%d lines without a file", lost), fmt.Sprintf("about as many lines as the %d messages", len(bases)))
	}
}

// locks looks for dotlocks that a crash left.
func (w *walk) locks(d dovecot.Dir, names ...string) {
	for _, name := range names {
		stale, err := w.locker.Stale(d, name)
		if err != nil {
			w.find(d.Path+"/"+name, err.Error(), "a lock file that can be read")
		}
		if stale {
			w.find(d.Path+"/"+name, "a lock whose process is gone", "none")
		}
	}
}
