package maildir

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"

	"golang.org/x/sys/unix"
)

// direntName is where the name stands in a struct linux_dirent64.
const direntName = 19

// List yields the names in the folder that dirfd has open, in the order of the
// file system, without a stat and in bounded memory however large the folder.
// Names that begin with a dot are left out: no message has one. A name is valid
// until the next one is asked for. An error is yielded last, with a nil name.
//
// List reads from the folder's start and moves the descriptor's offset, so a
// descriptor serves one List at a time.
func List(dirfd int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if _, err := unix.Seek(dirfd, 0, 0); err != nil {
			yield(nil, fmt.Errorf("list folder: %w", err))
			return
		}
		buf := make([]byte, 32<<10)
		for {
			n, err := unix.Getdents(dirfd, buf)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				yield(nil, fmt.Errorf("list folder: %w", err))
				return
			}
			if n <= 0 || !each(buf[:n], yield) {
				return
			}
		}
	}
}

// each yields the names of one block of entries; false ends the listing.
func each(block []byte, yield func([]byte, error) bool) bool {
	for len(block) > direntName {
		size := int(binary.NativeEndian.Uint16(block[16:]))
		if size <= direntName || size > len(block) {
			yield(nil, fmt.Errorf("list folder: entry of %d bytes in a block of %d", size, len(block)))
			return false
		}
		name := block[direntName:size]
		block = block[size:]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if len(name) == 0 || name[0] == '.' {
			continue
		}
		if !yield(name, nil) {
			return false
		}
	}
	return true
}
