package maildir

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"

	"golang.org/x/sys/unix"
)

// Where type and name stand in a struct linux_dirent64.
const (
	direntType = 18
	direntName = 19
)

// Entry is a name in a folder.
type Entry struct {
	Name  []byte // valid until the next one is asked for
	Plain bool   // a plain file; false where the file system does not say
}

// List yields the names in the folder that dirfd has open, as Entries does.
func List(dirfd int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for e, err := range Entries(dirfd) {
			if !yield(e.Name, err) {
				return
			}
		}
	}
}

// Entries yields the names in the folder that dirfd has open, in the order of the
// file system, without a stat and in bounded memory however large the folder.
// Names that begin with a dot are left out: no message has one. An error is yielded
// last, without a name.
//
// Entries reads from the folder's start and moves the descriptor's offset, so a
// descriptor serves one at a time.
func Entries(dirfd int) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if _, err := unix.Seek(dirfd, 0, 0); err != nil {
			yield(Entry{}, fmt.Errorf("list folder: %w", err))
			return
		}
		buf := make([]byte, 32<<10)
		for {
			n, err := unix.Getdents(dirfd, buf)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				yield(Entry{}, fmt.Errorf("list folder: %w", err))
				return
			}
			if n <= 0 || !each(buf[:n], yield) {
				return
			}
		}
	}
}

// each yields the names of one block of entries; false ends the listing.
func each(block []byte, yield func(Entry, error) bool) bool {
	for len(block) > direntName {
		size := int(binary.NativeEndian.Uint16(block[16:]))
		if size <= direntName || size > len(block) {
			yield(Entry{}, fmt.Errorf("list folder: entry of %d bytes in a block of %d", size, len(block)))
			return false
		}
		name, plain := block[direntName:size], block[direntType] == unix.DT_REG
		block = block[size:]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if len(name) == 0 || name[0] == '.' {
			continue
		}
		if !yield(Entry{name, plain}, nil) {
			return false
		}
	}
	return true
}
