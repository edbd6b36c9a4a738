package mailbox

import (
	"fmt"

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
