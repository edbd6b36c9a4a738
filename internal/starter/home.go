package starter

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/id"
)

// makeHome makes a missing home.
func (r *root) makeHome(home string, owner Identity) error {
	made, err := r.makeFolder(home, owner)
	if err != nil {
		return fmt.Errorf("make home: %w", err)
	}
	if made {
		r.log.HomeMade(owner.UID, filepath.Clean(home))
	}
	return nil
}

// makeIndex makes the missing folder of the owner's index files, without which mail
// can be had too.
func (r *root) makeIndex(owner Identity) {
	path := conf.IndexFolder(r.IndexDir, owner.UID)
	if path == "" {
		return
	}
	if _, err := r.makeFolder(path, owner); err != nil {
		r.log.FolderUnindexed(path, err)
	}
}

// makeFolder makes a missing folder, 0700 and its owner's. Nothing on the way to it
// may be a symbolic link or missing. The folder gets its name only when it is
// its owner's, so a crash leaves none of root's.
func (r *root) makeFolder(path string, owner Identity) (made bool, err error) {
	clean := filepath.Clean(path)
	if !filepath.IsAbs(clean) || clean == "/" {
		return false, fmt.Errorf("found %q, expected an absolute path", path)
	}
	parent, err := walk(filepath.Dir(clean))
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(parent)
	name := filepath.Base(clean)
	var st unix.Stat_t
	if err := unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != unix.ENOENT {
		return false, nil // there, whatever it is: the child sees what it can do with it
	}
	err = r.makeOwned(parent, name, owner)
	if errors.Is(err, unix.EEXIST) {
		return false, nil // another daemon's starter was faster
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
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
		return errors.Join(err, unix.Unlinkat(dirfd, tmp, unix.AT_REMOVEDIR))
	}
	err = r.disk.RenameNewAt(dirfd, tmp, dirfd, name)
	if err != nil {
		return errors.Join(err, unix.Unlinkat(dirfd, tmp, unix.AT_REMOVEDIR))
	}
	return r.disk.SyncDirAt(dirfd, name)
}
