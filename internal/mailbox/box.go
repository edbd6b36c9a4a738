package mailbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/dovecot"
	"posthorn/internal/utf7"
)

// Box is one user's mailbox: a Maildir++ whose root is INBOX and whose folders
// are `.Name` folders beside new/ and cur/. Folder names are given and taken
// in UTF-8 with '.' between levels; INBOX is not case-sensitive. A Box is safe
// for concurrent use.
type Box struct {
	store *Store
	root  dovecot.Dir
	limit conf.Quota
}

// Close gives back what the box holds. Its Views are closed before.
func (b *Box) Close() error { return unix.Close(b.root.FD) }

// isMaildir reports whether the folder disk has a cur/: others keep their own
// directories there too.
func (b *Box) isMaildir(disk string) bool {
	var st unix.Stat_t
	err := retry(func() error {
		return unix.Fstatat(b.root.FD, disk+"/cur", &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// Exists reports whether the folder name can be selected. Errors: ErrBadName.
func (b *Box) Exists(name string) (bool, error) {
	disk, err := diskName(name)
	if err != nil {
		return false, err
	}
	return disk == "." || b.isMaildir(disk), nil
}

// Create makes the folder name; no parent needs to exist, and none is made.
// Errors: ErrExists, ErrBadName, ErrOverQuota.
func (b *Box) Create(name string) error {
	disk, err := diskName(name)
	if err != nil || !creatable(name) {
		return ErrBadName
	}
	if disk == "." || b.isMaildir(disk) {
		return ErrExists
	}
	if err := b.roomForFolder(); err != nil {
		return err
	}
	if err := makeMaildir(b.root, disk); err != nil {
		return fmt.Errorf("making folder: %w", err)
	}
	fd, err := beneath(b.root.FD, disk)
	if err != nil {
		return fmt.Errorf("making folder: %w", err)
	}
	defer unix.Close(fd)
	// By this file delivery programs know that they are in a folder of a
	// Maildir++ whose quota is kept one level up.
	f, err := b.root.Disk.CreateAt(fd, "maildirfolder", 0o600)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making folder: %w", err)
	}
	if err == nil {
		f.Close()
	}
	return b.root.Disk.SyncDirAt(fd, b.root.Path+"/"+disk)
}

// creatable reports whether a new folder may have the name: LIST could not name
// one with a wildcard in it (RFC 3501 6.3.8), and RFC 9051 5.1 leaves out what ends
// lines and C1 controls.
func creatable(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r == '*' || r == '%' || 0x80 <= r && r < 0xa0 || r == 0x2028 || r == 0x2029
	})
}

// Subscribe adds name to the subscriptions or takes it away. The folder need
// not exist (RFC 3501 6.3.6). Errors: ErrBadName.
func (b *Box) Subscribe(name string, on bool) error {
	if name = Canonical(name); !validName(name) {
		return ErrBadName
	}
	return b.store.locker.Subscribe(b.root, utf7.Encode(name), on)
}

// Subscriptions returns the names subscribed to, sorted.
func (b *Box) Subscriptions() ([]string, error) {
	s, err := dovecot.LoadSubscriptions(b.root)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, encoded := range s.Names {
		if name, err := utf7.Decode(encoded); err == nil && validName(name) {
			names = append(names, Canonical(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// enter opens the folder name. The caller leaves it.
func (b *Box) enter(name string) (f *folder, disk string, err error) {
	disk, err = diskName(name)
	if err != nil {
		return nil, "", err
	}
	if disk != "." && !b.isMaildir(disk) {
		return nil, "", ErrNoFolder
	}
	f, err = b.store.enter(b.root, disk)
	return f, disk, err
}

// count opens a folder for Status; all is false when it may have messages that could
// not be counted, and the next count may find them.
func (b *Box) count(name string) (st Status, all bool, err error) {
	f, _, err := b.enter(name)
	if err != nil {
		return Status{}, false, err
	}
	defer b.store.leave(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refreshFor(nil); err != nil {
		return Status{}, false, err
	}
	st = Status{UIDNext: f.list.Next(), UIDValidity: f.list.UIDValidity(), HighestModSeq: max(f.Mod, 1), ID: f.objectID()}
	if f.resting {
		h := f.rest.file.Header()
		st.Messages, st.Unseen, st.Deleted, st.Size = int(h.Exists), int(h.Unseen), int(h.Deleted), h.Size
	} else {
		st.Messages, st.Unseen, st.Deleted, st.Size = len(f.Records), f.Sums.Unseen, f.Sums.Deleted, f.Sums.Total()
		st.Recent = f.CountUnclaimed()
	}
	return st, !f.dirty, nil
}
