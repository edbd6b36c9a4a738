package mailbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/maildir"
)

// Sweep removes for good what the attic has kept for long enough by now, and all of
// it when nothing is to be kept.
func (b *Box) Sweep(now time.Time) error {
	fd, err := beneath(b.root.FD, Attic)
	if err != nil {
		return ignoreGone(err)
	}
	defer unix.Close(fd)
	names, err := entries(fd)
	if err != nil {
		return fmt.Errorf("sweeping %s: %w", Attic, err)
	}
	keep := time.Duration(b.store.keep.Load())
	for _, name := range names {
		k, ok := readKept(name)
		if !ok || keep > 0 && now.Before(k.end().Add(keep)) {
			continue
		}
		if err := b.empty(fd, name, 0, &freed{}); err != nil && !gone(err) { // gone: another is at it
			return fmt.Errorf("sweeping %s: %w", Attic, err)
		}
	}
	return nil
}

// Kept is a Maildir++ of the attic.
type Kept struct {
	Name   string
	When   time.Time // of a deleted folder when that was, else the day's beginning
	Folder bool      // it is a folder that was deleted
}

// end is when nothing comes to it any more.
func (k Kept) end() time.Time {
	if k.Folder {
		return k.When
	}
	return k.When.AddDate(0, 0, 1)
}

// readKept reads a name in the attic; ok is false for what is not its own.
func readKept(name string) (k Kept, ok bool) {
	k.Name = name
	var err error
	if len(name) == len(dayLayout) {
		k.When, err = time.Parse(dayLayout, name)
		return k, err == nil
	}
	if len(name) <= len(timeLayout) || name[len(timeLayout)] != '.' {
		return k, false
	}
	k.Folder = true
	k.When, err = time.Parse(timeLayout, name[:len(timeLayout)])
	return k, err == nil
}

// Kept returns what is in the attic, the oldest first.
func (b *Box) Kept() ([]Kept, error) {
	fd, err := beneath(b.root.FD, Attic)
	if err != nil {
		return nil, ignoreGone(err)
	}
	defer unix.Close(fd)
	names, err := entries(fd)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", Attic, err)
	}
	var all []Kept
	for _, name := range names {
		if k, ok := readKept(name); ok {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b Kept) int { return cmp.Or(a.When.Compare(b.When), strings.Compare(a.Name, b.Name)) })
	return all, nil
}

// OpenKept opens a Maildir++ of the attic. What is expunged from it is gone. Of a
// deleted folder there is that folder, besides an INBOX that is empty. The caller
// closes it.
func (b *Box) OpenKept(k Kept) (*Box, error) {
	fd, err := maildir.Open(b.beneath(Attic + "/" + k.Name))
	if err != nil {
		return nil, fmt.Errorf("opening what was removed: %w", err)
	}
	root := dovecot.Dir{Disk: b.root.Disk, FD: fd, Path: b.root.Path + "/" + Attic + "/" + k.Name}
	return &Box{store: b.store, root: root}, nil
}

// GiveBack moves messages of a box that OpenKept opened to the folder dest of b:
// with their flags but \Deleted, keywords and dates, and with new UIDs (RFC 9051
// 2.3.1.1). A failure, or death, in between leaves them in both. Errors: as of
// CopyTo.
func (v *View) GiveBack(seqs []int, b *Box, dest string) error {
	_, src, _, err := v.CopyTo(b, dest, Settable{System: ^Deleted, Keywords: true}, seqs)
	if err != nil {
		return err
	}
	return v.expunge(removal{}, src)
}

// ReturnFolder gives back the deleted folder name of k, whole and as it was, its UIDs
// too, under the name to. Errors: ErrNoFolder, ErrExists, ErrBadName.
func (b *Box) ReturnFolder(k Kept, name, to string) error {
	from, err := diskName(name)
	if err != nil {
		return err
	}
	disk, err := diskName(to)
	if err != nil || disk == "." || from == "." {
		return cmp.Or(err, ErrBadName)
	}
	if b.isMaildir(disk) {
		return ErrExists
	}
	from = Attic + "/" + k.Name + "/" + from
	if err := b.all([]move{{from, disk}}); err != nil {
		return err
	}
	if has, err := b.weigh(b.root.FD, disk); err == nil {
		b.addSize(has.bytes, has.messages)
	}
	return nil
}

// ExpungeIf removes those messages of the folder name of which old says so, and
// returns how many. Nothing loses its \Recent. Errors: ErrNoFolder, ErrBadName, and
// those of old.
func (b *Box) ExpungeIf(name string, old func(v *View, seq int, m Message) (bool, error)) (int, error) {
	v, err := b.Select(name, true)
	if err != nil {
		return 0, err
	}
	defer v.Close()
	var uids []uint32
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.At(seq)
		if m.Gone {
			continue
		}
		yes, err := old(v, seq, m)
		switch {
		case errors.Is(err, ErrExpunged):
		case err != nil:
			return 0, err
		case yes:
			uids = append(uids, m.UID)
		}
	}
	if len(uids) == 0 {
		return 0, nil
	}
	return len(uids), v.expunge(removal{keeper: b}, uids)
}
