package maildir

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// Place says where a Maildir is: Path, which lies in the folder Root or is
// Root itself. Root is trusted to be what it says; nothing between it and Path
// may be a symbolic link. An empty Root is Path's parent.
type Place struct{ Root, Path string }

// split returns the root and the way from it to the path, "." for the root.
func (p Place) split() (root, rel string, err error) {
	if !filepath.IsAbs(p.Path) {
		return "", "", fmt.Errorf("maildir %q: expected an absolute path", p.Path)
	}
	if p.Root == "" {
		p.Root = filepath.Dir(filepath.Clean(p.Path))
	}
	rel, err = filepath.Rel(p.Root, p.Path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", "", fmt.Errorf("maildir %q: expected it in %q", p.Path, p.Root)
	}
	return p.Root, rel, nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		fd, err := call()
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// Open opens the folder at p for listing and for the calls that take a
// folder's descriptor. The caller closes it with unix.Close.
func Open(p Place) (dirfd int, err error) {
	root, rel, err := p.split()
	if err != nil {
		return -1, err
	}
	if p.Root == "" && rel != "." { // only the last name counts
		return p.openLast()
	}
	rootfd, err := openRoot(root)
	if err != nil {
		return -1, err
	}
	defer unix.Close(rootfd)
	return p.openIn(rootfd, rel)
}

// openLast opens the folder at p, whose last name is no link.
func (p Place) openLast() (dirfd int, err error) {
	if dirfd, err = sub(unix.AT_FDCWD, filepath.Clean(p.Path)); err != nil {
		return -1, fmt.Errorf("open %s: %w", p.Path, err)
	}
	return dirfd, nil
}

// openIn opens the folder at rel in its root.
func (p Place) openIn(rootfd int, rel string) (dirfd int, err error) {
	if dirfd, err = beneath(rootfd, rel); err != nil {
		return -1, fmt.Errorf("open %s: %w", p.Path, err)
	}
	return dirfd, nil
}

func openRoot(root string) (int, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", root, err)
	}
	return fd, nil
}

// beneath opens a folder below dirfd without following a link. Kernels before
// 5.6 and some sandboxes have no openat2: there each name is opened by itself.
func beneath(dirfd int, rel string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := retry(func() (int, error) { return unix.Openat2(dirfd, rel, &how) })
	if err != unix.ENOSYS && err != unix.EPERM {
		return fd, err
	}
	at, err := dup(dirfd)
	if err != nil {
		return -1, err
	}
	for name := range strings.SplitSeq(rel, "/") {
		next, err := sub(at, name)
		unix.Close(at)
		if err != nil {
			return -1, err
		}
		at = next
	}
	return at, nil
}

func dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

// sub opens the folder name in dirfd: one name, or a clean path whose last name is
// no link.
func sub(dirfd int, name string) (int, error) {
	if name == ".." {
		return -1, unix.EXDEV
	}
	return retry(func() (int, error) {
		return unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
}

// Make makes the Maildir at p where it is missing: p.Root in its parent, each
// folder on the way from there, and cur, new and tmp, all 0700. When Make
// returns nil their names are durable. Several may make the same Maildir at a
// time.
func Make(d *durable.Disk, p Place) error {
	root, rel, err := p.split()
	if err != nil {
		return err
	}
	at, err := makeRoot(d, root)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(rel, "/") {
		next, err := makeSub(d, at, name)
		unix.Close(at)
		if err != nil {
			return fmt.Errorf("make %s: %w", p.Path, err)
		}
		at = next
	}
	defer unix.Close(at)
	for _, name := range []string{"cur", "new"} {
		if err := makeHere(d, at, name); err != nil {
			return fmt.Errorf("make %s: %w", p.Path, err)
		}
	}
	if err := d.SyncDirAt(at, p.Path); err != nil {
		return err
	}
	// tmp/ comes last: a delivery takes it as the sign that the other names are
	// durable, whoever made them and whether he lived on. A tmp/ that a crash
	// took is made again.
	return makeHere(d, at, "tmp")
}

// makeHere makes the folder name in dirfd where it is missing.
func makeHere(d *durable.Disk, dirfd int, name string) error {
	if err := d.MkdirAt(dirfd, name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// makeRoot opens the root and makes it first where it is missing, if its parent
// is there and lets this uid do so.
func makeRoot(d *durable.Disk, root string) (int, error) {
	at, err := openRoot(root)
	if !errors.Is(err, unix.ENOENT) {
		return at, err
	}
	if err := d.Mkdir(root, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	if err := d.SyncDir(filepath.Dir(filepath.Clean(root))); err != nil {
		return -1, err
	}
	return openRoot(root)
}

// makeSub opens the folder name in dirfd and makes it first where it is
// missing.
func makeSub(d *durable.Disk, dirfd int, name string) (int, error) {
	fd, err := sub(dirfd, name)
	missing := err == unix.ENOENT
	if err != nil && !missing {
		return -1, err
	}
	if missing {
		if err := makeHere(d, dirfd, name); err != nil {
			return -1, err
		}
		if fd, err = sub(dirfd, name); err != nil {
			return -1, err
		}
	}
	// Also when another has made it: he may not have synced it. In a folder that
	// may not be read it was made by its administrator.
	if err := syncPath(d, dirfd, name); err != nil && (missing || !errors.Is(err, unix.EACCES)) {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// syncPath syncs a folder that may be open as a path only.
func syncPath(d *durable.Disk, dirfd int, name string) error {
	fd, err := sub(dirfd, ".")
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return d.SyncDirAt(fd, name)
}
