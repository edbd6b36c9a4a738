package starter

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/id"
)

// makeHome makes a missing home, 0700 and its owner's. Nothing on the way to it
// may be a symbolic link or missing. The folder gets its name only when it is
// its owner's, so a crash leaves no home of root's.
func (r *root) makeHome(home string, owner Identity) error {
	clean := filepath.Clean(home)
	if !filepath.IsAbs(clean) || clean == "/" {
		return fmt.Errorf("make home: found %q, expected an absolute path", home)
	}
	parent, err := walk(filepath.Dir(clean))
	if err != nil {
		return fmt.Errorf("make home %s: %w", home, err)
	}
	defer unix.Close(parent)
	name := filepath.Base(clean)
	var st unix.Stat_t
	if err := unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != unix.ENOENT {
		return nil // there, whatever it is: the child sees what it can do with it
	}
	if err := r.makeOwned(parent, name, owner); err != nil {
		return fmt.Errorf("make home %s: %w", home, err)
	}
	r.log.HomeMade(owner.UID, clean)
	return nil
}

// walk opens the folder at path name by name, following no link.
func walk(path string) (int, error) {
	at, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == "" {
			continue
		}
		next, err := openFolder(at, name)
		unix.Close(at)
		if err != nil {
			return -1, fmt.Errorf("%s: %w", name, err)
		}
		at = next
	}
	// For the sync of what is made in it.
	dir, err := openFolder(at, ".")
	unix.Close(at)
	return dir, err
}

func openFolder(dirfd int, name string) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// makeOwned makes the folder name in dirfd and gives it to its owner first.
func (r *root) makeOwned(dirfd int, name string, owner Identity) error {
	tmp := "." + id.New() + ".posthorn-home"
	if err := r.disk.MkdirAt(dirfd, tmp, 0o700); err != nil {
		return err
	}
	fd, err := openFolder(dirfd, tmp)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fchown(fd, owner.UID, owner.GID); err != nil {
		return errors.Join(err, unix.Unlinkat(dirfd, tmp, unix.AT_REMOVEDIR))
	}
	if err := r.disk.SyncDirAt(fd, name); err != nil {
		return err
	}
	err = r.disk.RenameNewAt(dirfd, tmp, dirfd, name)
	if err != nil {
		return errors.Join(err, unix.Unlinkat(dirfd, tmp, unix.AT_REMOVEDIR))
	}
	return r.disk.SyncDirAt(dirfd, name)
}
