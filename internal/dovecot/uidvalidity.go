package dovecot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const uidvalidityName = "dovecot-uidvalidity"

// NewUIDValidity returns a UIDVALIDITY greater than any given before in the
// Maildir whose root is root. What was given stands in the content of
// `dovecot-uidvalidity` and in the name of an empty file
// `dovecot-uidvalidity.<8 hex digits>`; the highest of them counts. A lock keeps
// two folders that are opened for the first time at the same moment from getting
// the same. now is the first number of a new Maildir.
func (k *Locker) NewUIDValidity(root Dir, now time.Time) (uint32, error) {
	l, err := k.Lock(root, uidvalidityLock)
	if err != nil {
		return 0, err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	highest, old, err := given(root)
	if err != nil {
		return 0, err
	}
	if highest == 0 {
		highest = uint32(now.Unix()) - 1
	}
	return claim(root, highest, old)
}

// given returns the highest number that was given, 0 for none, and the files whose
// names say so.
func given(root Dir) (highest uint32, old []string, err error) {
	content, err := root.Read(uidvalidityName, 16)
	if err != nil {
		return 0, nil, err
	}
	if n, err := parseHex(string(content)); err == nil {
		highest = n
		// Whoever gives a higher one removes this name last, or renames the file: as
		// long as it stands, the root's names, of all folders, need not be read.
		if stands, err := root.Has(uidvalidityFile(n)); stands || err != nil {
			return n, []string{uidvalidityFile(n)}, err
		}
	}
	names, err := root.Names(uidvalidityName + ".")
	for _, name := range names {
		if n, err := parseHex(strings.TrimPrefix(name, uidvalidityName+".")); err == nil {
			highest = max(highest, n)
			old = append(old, name)
		}
	}
	return highest, old, err
}

// claim takes the first number above highest that nobody else takes.
func claim(root Dir, highest uint32, old []string) (uint32, error) {
	for n := highest + 1; n != 0; n++ {
		f, err := root.Disk.CreateAt(root.FD, uidvalidityFile(n), 0o444)
		if errors.Is(err, os.ErrExist) { // its maker died before the content said so
			old = append(old, uidvalidityFile(n))
			continue
		}
		if err != nil {
			return 0, err
		}
		f.Close()
		err = root.Replace(uidvalidityName, func(f io.Writer) error {
			_, err := fmt.Fprintf(f, "%08x", n)
			return err
		})
		if err != nil {
			return 0, err
		}
		for _, name := range old {
			if err := root.Disk.RemoveAt(root.FD, name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return 0, err
			}
		}
		return n, nil
	}
	return 0, errors.New("no UIDVALIDITY is left")
}

func uidvalidityFile(n uint32) string { return fmt.Sprintf("%s.%08x", uidvalidityName, n) }

// parseHex reads eight hex digits.
func parseHex(s string) (uint32, error) {
	if len(s) != 8 {
		return 0, errGarbled
	}
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || n == 0 {
		return 0, errGarbled
	}
	return uint32(n), nil
}

// IndexUIDs returns the UIDVALIDITY and the next UID that stand in the header
// of a folder's dovecot.index: a copy for when the uidlist cannot be read. Higher
// UIDs may have been given since it was written: Dovecot itself keeps what is
// new in a log beside it.
func IndexUIDs(d Dir) (uidvalidity, next uint32, ok bool) {
	f, err := d.open("dovecot.index", unix.O_RDONLY)
	if err != nil {
		return 0, 0, false
	}
	defer f.Close()
	var h [32]byte
	if _, err := f.ReadAt(h[:], 0); err != nil {
		return 0, 0, false
	}
	return parseIndex(h)
}

// parseIndex takes apart the first 32 bytes of mail_index_header, which are in
// the byte order of the machine that wrote them.
func parseIndex(h [32]byte) (uidvalidity, next uint32, ok bool) {
	var order binary.ByteOrder = binary.LittleEndian
	if h[12]&1 == 0 { // MAIL_INDEX_COMPAT_LITTLE_ENDIAN
		order = binary.BigEndian
	}
	const version = 7
	if h[0] != version {
		return 0, 0, false
	}
	uidvalidity, next = order.Uint32(h[24:]), order.Uint32(h[28:])
	return uidvalidity, next, uidvalidity != 0
}
