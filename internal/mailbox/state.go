package mailbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/statefile"
)

// State is what a folder's posthorn-state holds, as it was when it was opened or
// last changed. It is for one goroutine.
type State struct {
	*statefile.File
	fd int
}

// State opens the state of the folder name; nothing else of the folder is read.
// The caller closes it. Errors: ErrNoFolder, ErrBadName.
func (b *Box) State(name string) (*State, error) {
	disk, err := diskName(name)
	if err != nil {
		return nil, err
	}
	fd, err := beneath(b.root.FD, disk)
	if err == unix.ENOENT || err == unix.ENOTDIR || err == unix.ELOOP || err == nil && disk != "." && !b.isMaildir(disk) {
		if err == nil {
			unix.Close(fd)
		}
		return nil, ErrNoFolder
	}
	if err != nil {
		return nil, fmt.Errorf("opening folder %s: %w", b.root.Path+"/"+disk, err)
	}
	dir := dovecot.Dir{Disk: b.root.Disk, FD: fd, Path: b.root.Path + "/" + disk}
	s := &State{statefile.New(dir, b.store.locker), fd}
	if _, err := s.Load(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close gives the folder back.
func (s *State) Close() error { return unix.Close(s.fd) }

// HasState reports whether the folder name has a posthorn-state, at less cost than
// to open it. Errors: ErrBadName.
func (b *Box) HasState(name string) (bool, error) {
	disk, err := diskName(name)
	if err != nil {
		return false, err
	}
	return b.root.Has(disk + "/" + statefile.Name)
}

// State opens the posthorn-state of any folder at path. The caller closes it.
// Errors: os.ErrNotExist.
func (s *Store) State(path string) (*State, error) {
	if s.lerr != nil {
		return nil, s.lerr
	}
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &State{statefile.New(dovecot.Dir{Disk: s.opt.Disk, FD: fd, Path: path}, s.locker), fd}, nil
}
