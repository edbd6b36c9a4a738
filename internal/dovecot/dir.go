package dovecot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// Dir is an open folder in which control files stand. All names are single
// names relative to FD, and no symbolic link is followed. It is a value; who
// opened FD closes it.
type Dir struct {
	Disk *durable.Disk
	FD   int
	Path string // for errors and for Disk's hook
}

// filePerm is the mode of control files: the owner's alone, as the mail is.
const filePerm = 0o600

// open opens an existing control file, never through a symbolic link.
func (d Dir) open(name string, flags int) (*os.File, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(d.FD, name, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.Path + "/" + name, Err: err}
	}
	f := os.NewFile(uintptr(fd), d.Path+"/"+name)
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s/%s: not a regular file", d.Path, name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Read returns a small control file, at most limit bytes of it. A file that
// does not exist is empty.
func (d Dir) Read(name string, limit int64) ([]byte, error) {
	f, err := d.open(name, unix.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// Replace gives name a new content: written beside it, synced, renamed, and
// the folder synced. The caller holds the lock that guards name.
func (d Dir) Replace(name string, write func(io.Writer) error) (err error) {
	tmp := name + ".tmp"
	if err := d.Disk.RemoveAt(d.FD, tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // left by a crash and cannot be removed
	}
	f, err := d.Disk.CreateAt(d.FD, tmp, filePerm)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			d.Disk.RemoveAt(d.FD, tmp) // best effort: the next writer removes it
		}
	}()
	if err := write(d.Disk.Writer(f)); err != nil {
		return err
	}
	if err := d.Disk.Sync(f); err != nil {
		return err
	}
	if err := d.Disk.RenameAt(d.FD, tmp, d.FD, name); err != nil {
		return err
	}
	return d.Disk.SyncDirAt(d.FD, d.Path)
}

// Extend writes p behind the first size bytes of name, which is there, and
// syncs it. The caller holds the lock that guards name.
func (d Dir) Extend(name string, size int64, p []byte) (err error) {
	f, err := d.open(name, unix.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = d.Disk.WriteAt(f, p, size); err == nil {
		err = d.Disk.Sync(f)
	}
	if err != nil {
		d.Disk.Truncate(f, size) // best effort: nobody was told of it
	}
	return err
}

// Sync makes name, which is there, durable as it is.
func (d Dir) Sync(name string) error {
	f, err := d.open(name, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.Disk.Sync(f); err != nil {
		return err
	}
	return d.Disk.SyncDirAt(d.FD, d.Path)
}

// Names returns the folder's names that begin with prefix.
func (d Dir) Names(prefix string) ([]string, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(d.FD, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.Path, Err: err}
	}
	f := os.NewFile(uintptr(fd), d.Path)
	defer f.Close()
	var found []string
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			if strings.HasPrefix(name, prefix) {
				found = append(found, name)
			}
		}
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// Sub opens the folder name in d. The caller closes its FD.
func (d Dir) Sub(name string) (Dir, error) {
	sub := Dir{Disk: d.Disk, FD: -1, Path: d.Path + "/" + name}
	err := retry(func() (err error) {
		sub.FD, err = unix.Openat(d.FD, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return Dir{}, &os.PathError{Op: "open", Path: sub.Path, Err: err}
	}
	return sub, nil
}

// Has reports whether there is a regular file name.
func (d Dir) Has(name string) (bool, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(d.FD, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "stat", Path: d.Path + "/" + name, Err: err}
	}
	return st.Mode&unix.S_IFMT == unix.S_IFREG, nil
}
