package quota

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"posthorn/internal/maildir"
)

// count adds up the messages of all folders, by the sizes in their names where
// these are.
func (b Box) count() (u Usage, err error) {
	entries, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(b.FD))
	if err != nil {
		return u, fmt.Errorf("counting messages: %w", err)
	}
	if err := u.folder(b.FD); err != nil {
		return u, err
	}
	for _, e := range entries {
		if name := e.Name(); name[0] == '.' && e.IsDir() {
			if err := u.below(b.FD, name); err != nil {
				return u, err
			}
		}
	}
	return u, nil
}

// below counts the folder name in dirfd. One that is gone holds nothing.
func (u *Usage) below(dirfd int, name string) error {
	fd, err := openDir(dirfd, name)
	if gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("counting messages: %w", err)
	}
	defer unix.Close(fd)
	return u.folder(fd)
}

// folder counts the messages of an open folder.
func (u *Usage) folder(fd int) error {
	for _, name := range []string{"new", "cur"} {
		sub, err := openDir(fd, name)
		if gone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("counting messages: %w", err)
		}
		err = u.files(sub)
		unix.Close(sub)
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *Usage) files(dirfd int) error {
	for name, err := range maildir.List(dirfd) {
		if err != nil {
			return fmt.Errorf("counting messages: %w", err)
		}
		n, err := maildir.ReadName(string(name))
		if err != nil {
			continue
		}
		if n.Size < 0 {
			var st unix.Stat_t
			if err := unix.Fstatat(dirfd, string(name), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				continue // it was renamed meanwhile, or is gone
			}
			n.Size = st.Size
		}
		u.Bytes += n.Size
		u.Messages++
	}
	return nil
}

func openDir(dirfd int, name string) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// gone reports that there is no such folder, or something else of its name.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}
