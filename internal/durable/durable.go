// Package durable is the only place that syncs, links, renames and removes
// files of mail and spool.
//
// The order that makes a message durable is always the same: file sync, then
// name (link or rename), then directory sync, then the answer. Every step goes
// through a Disk, whose Hook can see it or make it fail.
//
// A build with the tag prove lets the environment of a test steer this package
// in whole processes; prove.go says how. Nothing of it is in other builds.
package durable

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Op is one step that reaches the disk.
type Op struct {
	Name string // create unnamed write sync syncdir link rename unlink rmdir mkdir truncate
	Path string // what it works on; relative to a folder's descriptor as given
	To   string // the new name of link and rename
}

// step is an Op with what a record of it needs.
type step struct {
	Op
	dir, toDir int       // the folders that Path and To are relative to
	file       *os.File  // the open file that it works on
	data       []byte    // of write
	at         int64     // of write and truncate; current: where the file stands
	made       **os.File // where an open puts its file
}

// current is the place of a write that goes where the file stands.
const current = -1

// syncsAtOnce bounds blocked syncs: each is a thread, and Go aborts at 10,000.
const syncsAtOnce = 64

// Disk carries out steps. The zero Disk works; it is safe for concurrent use
// and must not be copied.
type Disk struct {
	// Hook, when set, sees each step before it is made, of writes only with
	// Writes; an error from it is the step's error, and the step is not made.
	Hook   func(Op) error
	Writes bool

	once  sync.Once
	slots chan struct{}
}

// ErrNoUnnamed means that the file system has no unnamed files (O_TMPFILE).
var ErrNoUnnamed = errors.New("no unnamed files on this file system")

// do makes a step, unless the hook refuses it.
func (d *Disk) do(s step, call func() error) error {
	if d.Hook != nil && (d.Writes || s.Name != "write") {
		if err := d.Hook(s.Op); err != nil {
			return err
		}
	}
	return s.run(call)
}

// slot waits for one of the places to sync and returns how to leave it.
func (d *Disk) slot() func() {
	d.once.Do(func() { d.slots = make(chan struct{}, syncsAtOnce) })
	d.slots <- struct{}{}
	return func() { <-d.slots }
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// wrap names the step and its paths in an error that does not.
func wrap(name, path, to string, err error) error {
	if _, named := err.(*os.PathError); named || err == nil {
		return err
	}
	if to != "" {
		return &os.LinkError{Op: name, Old: path, New: to, Err: err}
	}
	return &os.PathError{Op: name, Path: path, Err: err}
}

// Create makes the file path, which must not exist, for reading and writing.
func (d *Disk) Create(path string, perm os.FileMode) (*os.File, error) {
	return d.CreateAt(unix.AT_FDCWD, path, perm)
}

// CreateAt is Create relative to the folder dirfd.
func (d *Disk) CreateAt(dirfd int, path string, perm os.FileMode) (*os.File, error) {
	return d.open("create", dirfd, path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, perm)
}

// Unnamed makes a file without a name in dir, for reading and writing. It is
// gone with its last descriptor unless LinkFile names it.
func (d *Disk) Unnamed(dir string, perm os.FileMode) (*os.File, error) {
	f, err := d.open("unnamed", unix.AT_FDCWD, dir, unix.O_RDWR|unix.O_TMPFILE, perm)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		return nil, fmt.Errorf("%w: %w", ErrNoUnnamed, err)
	}
	return f, err
}

func (d *Disk) open(name string, dirfd int, path string, flags int, perm os.FileMode) (*os.File, error) {
	var f *os.File
	err := d.do(step{Op: Op{Name: name, Path: path}, dir: dirfd, made: &f}, func() error {
		return retry(func() error {
			fd, err := unix.Openat(dirfd, path, flags|unix.O_CLOEXEC, uint32(perm.Perm()))
			if err == nil {
				f = os.NewFile(uintptr(fd), path)
			}
			return err
		})
	})
	return f, wrap(name, path, "", err)
}

// Write writes p where f stands.
func (d *Disk) Write(f *os.File, p []byte) (n int, err error) {
	err = d.do(step{Op: Op{Name: "write", Path: f.Name()}, file: f, data: p, at: current}, func() (err error) {
		n, err = f.Write(p)
		return err
	})
	return n, wrap("write", f.Name(), "", err)
}

// WriteAt writes p at off.
func (d *Disk) WriteAt(f *os.File, p []byte, off int64) (n int, err error) {
	err = d.do(step{Op: Op{Name: "write", Path: f.Name()}, file: f, data: p, at: off}, func() (err error) {
		n, err = f.WriteAt(p, off)
		return err
	})
	return n, wrap("write", f.Name(), "", err)
}

// Writer is f as an io.Writer that goes through d.
func (d *Disk) Writer(f *os.File) io.Writer { return writer{d, f} }

type writer struct {
	disk *Disk
	file *os.File
}

func (w writer) Write(p []byte) (int, error) { return w.disk.Write(w.file, p) }

// Sync makes f's content durable.
func (d *Disk) Sync(f *os.File) error {
	defer d.slot()()
	return wrap("sync", f.Name(), "", d.do(step{Op: Op{Name: "sync", Path: f.Name()}, file: f}, f.Sync))
}

// SyncDir makes the names in dir durable.
func (d *Disk) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return d.syncFolder(f, dir)
}

// SyncDirAt is SyncDir of the folder whose descriptor is dirfd; name is for
// the hook and for errors.
func (d *Disk) SyncDirAt(dirfd int, name string) error {
	defer d.slot()()
	return wrap("syncdir", name, "", d.do(step{Op: Op{Name: "syncdir", Path: name}, dir: dirfd}, func() error {
		return retry(func() error { return unix.Fsync(dirfd) })
	}))
}

func (d *Disk) syncFolder(f *os.File, name string) error {
	defer d.slot()()
	return wrap("syncdir", name, "", d.do(step{Op: Op{Name: "syncdir", Path: name}, file: f}, f.Sync))
}

// LinkFile gives the open file f the name path, which must not exist. Where f
// was made by another uid, fs.protected_hardlinks wants read and write
// permission on it.
func (d *Disk) LinkFile(f *os.File, path string) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	err = d.do(step{Op: Op{"link", f.Name(), path}, file: f, toDir: unix.AT_FDCWD}, func() error {
		var lerr error
		err := raw.Control(func(fd uintptr) {
			self := fmt.Sprintf("/proc/self/fd/%d", fd)
			lerr = retry(func() error {
				return unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
			})
		})
		return cmp.Or(err, lerr)
	})
	return wrap("link", f.Name(), path, err)
}

// Link gives old a second name, which must not exist.
func (d *Disk) Link(oldpath, newpath string) error {
	return d.LinkAt(unix.AT_FDCWD, oldpath, unix.AT_FDCWD, newpath)
}

// LinkAt is Link between the folders olddir and newdir.
func (d *Disk) LinkAt(olddir int, oldpath string, newdir int, newpath string) error {
	return d.two(step{Op: Op{"link", oldpath, newpath}, dir: olddir, toDir: newdir}, func() error {
		return unix.Linkat(olddir, oldpath, newdir, newpath, 0)
	})
}

// Rename moves a name and replaces what stands at newpath.
func (d *Disk) Rename(oldpath, newpath string) error {
	return d.RenameAt(unix.AT_FDCWD, oldpath, unix.AT_FDCWD, newpath)
}

// RenameAt is Rename between the folders olddir and newdir.
func (d *Disk) RenameAt(olddir int, oldpath string, newdir int, newpath string) error {
	return d.two(step{Op: Op{"rename", oldpath, newpath}, dir: olddir, toDir: newdir}, func() error {
		return unix.Renameat(olddir, oldpath, newdir, newpath)
	})
}

// RenameNew moves a name and fails with fs.ErrExist where newpath exists.
func (d *Disk) RenameNew(oldpath, newpath string) error {
	return d.RenameNewAt(unix.AT_FDCWD, oldpath, unix.AT_FDCWD, newpath)
}

// RenameNewAt is RenameNew between the folders olddir and newdir.
func (d *Disk) RenameNewAt(olddir int, oldpath string, newdir int, newpath string) error {
	return d.two(step{Op: Op{"rename", oldpath, newpath}, dir: olddir, toDir: newdir}, func() error {
		return unix.Renameat2(olddir, oldpath, newdir, newpath, unix.RENAME_NOREPLACE)
	})
}

func (d *Disk) two(s step, call func() error) error {
	return wrap(s.Name, s.Path, s.To, d.do(s, func() error { return retry(call) }))
}

// Remove removes the file path.
func (d *Disk) Remove(path string) error { return d.RemoveAt(unix.AT_FDCWD, path) }

// RemoveAt is Remove relative to the folder dirfd.
func (d *Disk) RemoveAt(dirfd int, path string) error {
	return d.one("unlink", dirfd, path, func() error { return unix.Unlinkat(dirfd, path, 0) })
}

// RemoveDir removes the empty folder path.
func (d *Disk) RemoveDir(path string) error {
	return d.one("rmdir", unix.AT_FDCWD, path, func() error { return unix.Rmdir(path) })
}

// Mkdir makes the folder path.
func (d *Disk) Mkdir(path string, perm os.FileMode) error {
	return d.MkdirAt(unix.AT_FDCWD, path, perm)
}

// MkdirAt is Mkdir relative to the folder dirfd.
func (d *Disk) MkdirAt(dirfd int, path string, perm os.FileMode) error {
	return d.one("mkdir", dirfd, path, func() error { return unix.Mkdirat(dirfd, path, uint32(perm.Perm())) })
}

// MkdirAll makes the folder path and those above it where they are missing,
// and makes their names durable.
func (d *Disk) MkdirAll(path string, perm os.FileMode) error {
	err := d.Mkdir(path, perm)
	if parent := filepath.Dir(path); errors.Is(err, os.ErrNotExist) && parent != path {
		if err := d.MkdirAll(parent, perm); err != nil {
			return err
		}
		err = d.Mkdir(path, perm)
	}
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return cmp.Or(err, d.SyncDir(filepath.Dir(path)))
}

func (d *Disk) one(name string, dirfd int, path string, call func() error) error {
	s := step{Op: Op{Name: name, Path: path}, dir: dirfd}
	return wrap(name, path, "", d.do(s, func() error { return retry(call) }))
}

// Truncate cuts f to size bytes.
func (d *Disk) Truncate(f *os.File, size int64) error {
	s := step{Op: Op{Name: "truncate", Path: f.Name()}, file: f, at: size}
	return wrap("truncate", f.Name(), "", d.do(s, func() error { return f.Truncate(size) }))
}

// Replace gives path a new content as a whole: after an error the old content
// stands, or the new one, never a part. The new file is made beside it under
// path + ".new"; two callers must not replace one path at a time.
func (d *Disk) Replace(path string, perm os.FileMode, content []byte) error {
	return d.replace(path, perm, content, func(*os.File) error { return nil })
}

// ReplaceAs is Replace for a file of uid and gid, with perm whatever the umask
// is; nobody else can open it at any time. -1 keeps the process's.
func (d *Disk) ReplaceAs(path string, perm os.FileMode, uid, gid int, content []byte) error {
	return d.replace(path, 0o600, content, func(f *os.File) error {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
		return f.Chmod(perm)
	})
}

func (d *Disk) replace(path string, perm os.FileMode, content []byte, give func(*os.File) error) (err error) {
	tmp := path + ".new"
	if err := d.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // left by a crash and cannot be removed
	}
	f, err := d.Create(tmp, perm)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			d.Remove(tmp) // best effort: the next Replace removes it
		}
	}()
	if _, err := d.Write(f, content); err != nil {
		return err
	}
	if err := give(f); err != nil {
		return err
	}
	if err := d.Sync(f); err != nil {
		return err
	}
	if err := d.Rename(tmp, path); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(strings.TrimSuffix(path, "/")))
}
