// Package quota knows how much a Maildir++ holds and whether more fits in, by its
// file `maildirsize`, which Dovecot and Courier keep as well: a first line with the
// limits, and lines of octets and messages that add up. Who files or removes
// messages appends a line (maildir.AddSize); this package makes the file, and
// counts again when it is missing, cannot be read, is large, has other limits, or
// says that the mailbox is full and may be wrong.
//
// Nothing in the file is a truth, and no lock is held: a mailbox may end up with
// more than its limit by what was on its way at the time, and is never called full
// before its messages have been counted.
package quota

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/durable"
	"posthorn/internal/id"
)

// File is the name of the file in the root folder.
const File = "maildirsize"

// ErrOver is that a mailbox has no room for more.
var ErrOver = errors.New("mailbox is full")

// believed is how long a file that says that the mailbox is full is believed
// without counting.
const believed = 15 * time.Minute

// Usage is what messages take.
type Usage struct{ Bytes, Messages int64 }

// Box is a Maildir++ with what it may hold. It is a value; who opened the folder
// closes it. It is safe for concurrent use, by several processes too.
type Box struct {
	Disk  *durable.Disk
	FD    int // of the root folder
	Limit conf.Quota
}

// limited reports whether messages have a limit.
func (b Box) limited() bool { return b.Limit.Storage > 0 || b.Limit.Messages > 0 }

// fits reports whether a usage is within the limits.
func (b Box) fits(u, more Usage) bool {
	return (b.Limit.Storage == 0 || u.Bytes <= b.Limit.Storage-more.Bytes) &&
		(b.Limit.Messages == 0 || u.Messages <= b.Limit.Messages-more.Messages)
}

// Usage returns what the mailbox holds, nothing where messages have no limit: that
// would be counted each time.
func (b Box) Usage() (Usage, error) {
	if !b.limited() {
		return Usage{}, nil
	}
	if s, ok := b.load(); ok {
		return s.sum, nil
	}
	return b.recount()
}

// Room returns nil if there is room for more. Errors: ErrOver.
func (b Box) Room(more Usage) error {
	if !b.limited() {
		return nil
	}
	s, ok := b.load()
	switch {
	case ok && b.fits(s.sum, more):
		return nil
	case ok && s.lines == 1 && time.Since(s.made).Abs() < believed:
		return ErrOver
	}
	u, err := b.recount()
	if err != nil {
		return err
	}
	if !b.fits(u, more) {
		return ErrOver
	}
	return nil
}

// load reads the file; ok is false when it does not say what there is.
func (b Box) load() (s sheet, ok bool) {
	f, err := b.open()
	if err != nil {
		return s, false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return s, false
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(content) > maxFile {
		return s, false
	}
	s, ok = parse(content)
	s.made = st.ModTime()
	return s, ok && s.limit == definition(b.Limit)
}

func (b Box) open() (*os.File, error) {
	fd, err := unix.Openat(b.FD, File, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), File), nil
}

// tries bounds how often a mailbox is counted that is written to meanwhile.
const tries = 3

// recount counts, and makes the file anew.
func (b Box) recount() (Usage, error) { return b.settle(b.count) }

// settle makes the file of what count says. Lines that others append while the
// count runs would be lost: it begins again then. What cannot be written now is
// counted the next time.
func (b Box) settle(count func() (Usage, error)) (u Usage, err error) {
	for range tries {
		before := b.state()
		if u, err = count(); err != nil {
			return u, err
		}
		if b.state() == before {
			_ = b.write(u)
			return u, nil
		}
	}
	return u, nil
}

// state is what tells whether somebody wrote to the file.
type state struct {
	ino  uint64
	size int64
}

func (b Box) state() state {
	var st unix.Stat_t
	if err := unix.Fstatat(b.FD, File, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return state{}
	}
	return state{st.Ino, st.Size}
}

// write makes the file. It is not synced: one that a power cut took apart is
// counted again.
func (b Box) write(u Usage) error {
	tmp := "tmp/" + File + "." + id.New()
	f, err := b.Disk.CreateAt(b.FD, tmp, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = b.Disk.Write(f, fmt.Appendf(nil, "%s\n%d %d\n", definition(b.Limit), u.Bytes, u.Messages))
	if err == nil {
		err = b.Disk.RenameAt(b.FD, tmp, b.FD, File)
	}
	if err != nil {
		_ = b.Disk.RemoveAt(b.FD, tmp) // else it is cleaned from tmp/ later
	}
	return err
}
