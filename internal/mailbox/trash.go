package mailbox

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/maildir"
	"posthorn/internal/picture"
)

// trash begins the names of deleted folders that are being emptied. They stand
// in the Maildir's tmp/, where nobody takes them for folders.
const trash = "posthorn-trash."

// maxTrashDepth bounds how deep a deleted folder is emptied; a Maildir has one
// level, and some servers keep folders of their own in it.
const maxTrashDepth = 8

// freed is what left a deleted folder.
type freed struct {
	bytes    int64
	messages int
}

// openTmp opens the Maildir's tmp/. The caller closes it.
func (b *Box) openTmp() (int, error) {
	fd, err := beneath(b.root.FD, "tmp")
	if err == unix.ENOENT {
		if err = makeMaildir(b.root, "."); err == nil {
			fd, err = beneath(b.root.FD, "tmp")
		}
	}
	return fd, err
}

// clearTrash removes what Delete took out of the way, and takes the messages off
// the quota.
func (b *Box) clearTrash(tmp int) error {
	names, err := entries(tmp)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, trash) {
			continue
		}
		var f freed
		err := b.empty(tmp, name, 0, &f)
		if f.messages > 0 {
			// A line that could not be written costs a recount, no message.
			_ = maildir.AddSize(b.root.Disk, b.root.FD, -f.bytes, -f.messages)
		}
		if err != nil && !gone(err) { // gone: another Delete is at it
			return err
		}
	}
	return nil
}

// empty removes the folder name in dirfd with all that is in it, and follows no
// symbolic link.
func (b *Box) empty(dirfd int, name string, depth int, f *freed) error {
	fd, err := beneath(dirfd, name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if depth > maxTrashDepth {
		return errors.New("deleted folder is too deep")
	}
	names, err := entries(fd)
	if err != nil {
		return err
	}
	messages := depth == 1 && (name == "cur" || name == "new")
	for _, entry := range names {
		bytes := int64(0)
		if messages {
			bytes = fileSize(fd, entry)
		}
		err := b.root.Disk.RemoveAt(fd, entry)
		if errors.Is(err, unix.EISDIR) {
			if err = b.empty(fd, entry, depth+1, f); err == nil {
				continue
			}
		}
		if err != nil && !gone(err) {
			return err
		}
		if messages && err == nil {
			f.bytes += bytes
			f.messages++
		}
	}
	return b.root.Disk.RemoveDir("/proc/self/fd/" + strconv.Itoa(dirfd) + "/" + name)
}

// fileSize returns what a message counts for the quota.
func fileSize(dirfd int, name string) int64 {
	if n := picture.SizeIn([]byte(name), 'S'); n != picture.Unknown {
		return int64(n)
	}
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return 0
	}
	return st.Size
}

// entries returns the names in a folder, whatever their kind.
func entries(fd int) ([]string, error) {
	dir, err := os.Open("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}
