// Package courier reads the control files that Courier keeps in a Maildir, for
// a mailbox that comes from there, and writes them for one that goes back:
// `courierimapuiddb` (UIDVALIDITY and UIDs), `courierimapkeywords`,
// `courierpop3dsizelist` (what POP3 clients know messages by) and
// `courierimapsubscribed`.
//
// No function here trusts a file: sizes, lines and names have limits, and what
// cannot be read is passed over. Its message then counts as new.
package courier

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
)

// The names of Courier's files.
const (
	uidsName       = "courierimapuiddb"
	keywordsName   = "courierimapkeywords"
	uidlsName      = "courierpop3dsizelist"
	subscribedName = "courierimapsubscribed"

	// readName is a second name of the list of UIDs that was taken over, or is
	// older than our own, so that it is not taken over when that is lost: since
	// then UIDs were given that it does not know.
	readName = "posthorn-courieruiddb"
)

// maxFile bounds what is read of one file: the lists of a million messages.
const maxFile = 128 << 20

// maxLine bounds a line: a file name has at most 255 bytes.
const maxLine = 1024

// Folder is what Courier knew of one folder. Messages go by the base name of
// their file.
type Folder struct {
	UIDs
	UIDLs    []UIDL              // in the order of the list
	Keywords map[string][]string // by message
}

// Present reports whether Courier has left lists in the folder that were not
// taken over yet.
func Present(d dovecot.Dir) (bool, error) {
	for _, name := range []string{uidsName, uidlsName} {
		have, err := d.Has(name)
		if err != nil {
			return false, err
		}
		if have {
			done, err := taken(d, name)
			return !done, err
		}
	}
	return false, nil
}

// taken reports whether the file name is the one that Taken was told of.
func taken(d dovecot.Dir, name string) (bool, error) {
	var now, then unix.Stat_t
	err := unix.Fstatat(d.FD, readName, &then, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return false, nil
	}
	if err == nil {
		err = unix.Fstatat(d.FD, name, &now, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return false, fmt.Errorf("looking at %s in %s: %w", readName, d.Path, err)
	}
	return now.Dev == then.Dev && now.Ino == then.Ino, nil
}

// Taken notes that the folder's lists were taken over, or are too old to be.
// That is durable when it returns nil.
func Taken(d dovecot.Dir) error {
	if err := d.Disk.RemoveAt(d.FD, readName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := d.Disk.LinkAt(d.FD, uidsName, d.FD, readName)
	if errors.Is(err, fs.ErrNotExist) {
		err = d.Disk.LinkAt(d.FD, uidlsName, d.FD, readName)
	}
	if err != nil {
		return err
	}
	return d.Disk.SyncDirAt(d.FD, d.Path)
}

// Read reads all that there is of a folder's files.
func Read(d dovecot.Dir) (f Folder, err error) {
	content, err := d.Read(uidsName, maxFile)
	if err != nil {
		return Folder{}, fmt.Errorf("reading Courier's UIDs: %w", err)
	}
	f.UIDs = ParseUIDs(content)
	if content, err = d.Read(uidlsName, maxFile); err != nil {
		return Folder{}, fmt.Errorf("reading Courier's UIDLs: %w", err)
	}
	f.UIDLs = ParseUIDLs(content)
	if f.Keywords, err = readKeywords(d); err != nil {
		return Folder{}, fmt.Errorf("reading Courier's keywords: %w", err)
	}
	return f, nil
}

// write replaces one of the files.
func write(d dovecot.Dir, name string, content []byte) error {
	err := d.Replace(name, func(f io.Writer) error {
		_, err := f.Write(content)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
