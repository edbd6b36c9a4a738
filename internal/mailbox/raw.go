package mailbox

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// File is the open file of a message as it stands on the disk, whatever its line
// ends. It may be used by many goroutines.
type File struct{ fd int }

// File opens the file of message seq. It costs less than Open does. The caller
// closes it. Errors: ErrExpunged.
func (v *View) File(seq int) (*File, error) {
	f := v.folder
	f.mu.Lock()
	dir, name := f.whereIs(v.uid(seq))
	f.mu.Unlock()
	if fd, err := openIn(dir, name); err == nil {
		return &File{fd}, nil
	}
	b, err := v.Open(seq) // it has another name by now, or is gone
	if err != nil {
		return nil, err
	}
	fd := b.fd
	b.fd = -1
	return &File{fd}, nil
}

// whereIs returns folder and name of the file of a message, none that there is if it
// is gone. The folder is open as long as somebody uses f.
func (f *folder) whereIs(uid uint32) (dir int, name string) {
	if r := f.Find(uid); r != nil && f.over == nil {
		return f.where(r.State), f.File(r)
	}
	return f.cur, ""
}

// openIn opens a message's file.
func openIn(dir int, name string) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		return err
	})
	return fd, err
}

// Size returns how large the file is.
func (f *File) Size() (int64, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(f.fd, &st) })
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = fmt.Errorf("message is not a regular file")
	}
	return st.Size, err
}

// First reads what the file begins with, in one system call: what comes short is
// the whole file, as a rule.
func (f *File) First(p []byte) (n int, err error) {
	err = retry(func() (err error) {
		n, err = unix.Pread(f.fd, p, 0)
		return err
	})
	return max(n, 0), err
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		var m int
		err := retry(func() (err error) {
			m, err = unix.Pread(f.fd, p[n:], off+int64(n))
			return err
		})
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

// Close closes the file.
func (f *File) Close() error { return unix.Close(f.fd) }
