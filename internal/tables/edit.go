package tables

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"posthorn/internal/durable"
	"posthorn/internal/stamp"
)

// Errors of an Editor.
var (
	ErrNoUser  = errors.New("no such user")
	ErrExists  = errors.New("the user exists already")
	ErrChanged = errors.New("the file was changed by another program meanwhile; nothing was written")
)

// Editor changes a users table. Everything that it does not have to touch
// stays byte for byte: comments, order, other fields; and so do mode and
// owner. The file is replaced as a whole and durably: whoever reads it sees
// the old table or the new one.
//
// Two editors wait for each other: they hold a lock (flock) on the folder of
// the file. A program that does not know the lock is noticed where it changed
// the file before the new one took its place.
type Editor struct {
	Disk   *durable.Disk
	Path   string
	Domain string // of names without one
	// Check, unless it is nil, says what is wrong with a stored password.
	Check func(stored string) error
}

// newMode is the mode of a table that an Editor makes; its group is the
// folder's.
const newMode = 0o640

// Add appends a user with a stored password. It makes the file when there is
// none.
func (e *Editor) Add(name, stored string) error {
	if err := storable(stored); err != nil {
		return fmt.Errorf("adding %.100s: %w", name, err)
	}
	return e.edit("adding", name, func(u *Users, content []byte, canonical string) ([]byte, error) {
		if old, ok := u.Lookup(canonical); ok {
			return nil, fmt.Errorf("%s: %w", old.Place, ErrExists)
		}
		if len(content) > 0 && content[len(content)-1] != '\n' {
			content = append(content, '\n')
		}
		return fmt.Appendf(content, "%s:%s::::::\n", canonical, stored), nil
	})
}

// Remove takes a user's line out. His mail stays where it is.
func (e *Editor) Remove(name string) error {
	return e.editLine("removing", name, func(string) string { return "" })
}

// SetPassword replaces the stored password of a user.
func (e *Editor) SetPassword(name, stored string) error {
	if err := storable(stored); err != nil {
		return fmt.Errorf("changing the password of %.100s: %w", name, err)
	}
	return e.editLine("changing the password of", name, func(line string) string {
		user, rest, _ := strings.Cut(line, ":")
		end := strings.IndexAny(rest, ":\n")
		if end < 0 {
			end = len(rest)
		}
		return user + ":" + stored + rest[end:]
	})
}

// storable returns why stored cannot stand between two colons.
func storable(stored string) error {
	if i := strings.IndexFunc(stored, func(r rune) bool { return r == ':' || r == '\t' || control(r) }); i >= 0 {
		return fmt.Errorf("found %q in the stored password, expected no colon and no control character", stored[i])
	}
	return nil
}

// editLine is edit for one existing line, which comes and goes with its line
// feed.
func (e *Editor) editLine(doing, name string, change func(line string) string) error {
	return e.edit(doing, name, func(u *Users, content []byte, canonical string) ([]byte, error) {
		old, ok := u.Lookup(canonical)
		if !ok {
			return nil, ErrNoUser
		}
		var out []byte
		n := 0
		for line := range strings.Lines(string(content)) {
			if n++; n == old.Place.Line {
				line = change(line)
			}
			out = append(out, line...)
		}
		return out, nil
	})
}

// edit reads the table under the lock, lets change make the new one, checks
// that and puts it in place.
func (e *Editor) edit(doing, name string, change func(*Users, []byte, string) ([]byte, error)) error {
	canonical, err := Canonical(name, e.Domain)
	if err == nil {
		err = e.locked(func(path string) error {
			content, info, err := readFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			users, err := ParseUsers(path, content, e.Domain, nil)
			if err != nil {
				return err
			}
			changed, err := change(users, bytes.Clone(content), canonical)
			if err != nil {
				return err
			}
			if _, err := ParseUsers(path, changed, e.Domain, e.checkOnly(canonical, users)); err != nil {
				return err
			}
			return e.replace(path, info, changed)
		})
	}
	if err != nil {
		return fmt.Errorf("%s %.100s: %w", doing, name, err)
	}
	return nil
}

// checkOnly returns a check that leaves passwords alone that were there
// before: one bad hash must not keep others from changing theirs.
func (e *Editor) checkOnly(canonical string, before *Users) func(string) error {
	if e.Check == nil {
		return nil
	}
	known := map[string]bool{}
	for u := range before.All() {
		if u.Name != canonical {
			known[u.Password] = true
		}
	}
	return func(stored string) error {
		if known[stored] {
			return nil
		}
		return e.Check(stored)
	}
}

// locked calls do with the file's true path while the lock is held. The lock
// is on the folder, for the file itself is another after each edit; it ends
// with the process, so nothing is left behind.
func (e *Editor) locked(do func(path string) error) error {
	path, err := filepath.EvalSymlinks(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = e.Path, nil
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := flock(dir); err != nil {
		return fmt.Errorf("locking %s: %w", dir.Name(), err)
	}
	return do(path)
}

// flock waits for the exclusive lock on f.
func flock(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lerr error
	err = raw.Control(func(fd uintptr) {
		for {
			if lerr = syscall.Flock(int(fd), syscall.LOCK_EX); lerr != syscall.EINTR {
				return
			}
		}
	})
	return errors.Join(err, lerr)
}

// replace writes content beside path and renames it into place, with the mode
// and owner of the file that info describes, or of a new one when it is nil.
func (e *Editor) replace(path string, info os.FileInfo, content []byte) (err error) {
	tmp := path + ".new"
	if err := e.Disk.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // left by a crash and cannot be removed
	}
	f, err := e.Disk.Create(tmp, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			e.Disk.Remove(tmp) // best effort: the next editor removes it
		}
	}()
	if _, err := e.Disk.Write(f, content); err != nil {
		return err
	}
	if err := keepOwner(f, path, info); err != nil {
		return fmt.Errorf("keeping mode and owner: %w", err)
	}
	if err := e.Disk.Sync(f); err != nil {
		return err
	}
	if err := untouched(path, info); err != nil {
		return err
	}
	if err := e.Disk.Rename(tmp, path); err != nil {
		return err
	}
	return e.Disk.SyncDir(filepath.Dir(path))
}

// keepOwner gives f the owner, group and mode of the file it replaces.
func keepOwner(f *os.File, path string, info os.FileInfo) error {
	mode := os.FileMode(newMode)
	uid := os.Geteuid()
	if info != nil {
		mode = info.Mode().Perm()
	} else {
		dir, err := os.Stat(filepath.Dir(path))
		if err != nil {
			return err
		}
		info = dir
	}
	old, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("no owner is known")
	}
	if !info.IsDir() {
		uid = int(old.Uid)
	}
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if st, ok := now.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != uid || st.Gid != old.Gid {
		if err := f.Chown(uid, int(old.Gid)); err != nil {
			return err
		}
	}
	return f.Chmod(mode)
}

// untouched returns ErrChanged unless path is still the file of info.
func untouched(path string, info os.FileInfo) error {
	now, err := os.Stat(path)
	if info == nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(ErrChanged, err)
	}
	if err != nil {
		return errors.Join(ErrChanged, err)
	}
	if !stamp.OfInfo(info).Like(stamp.OfInfo(now)) {
		return ErrChanged
	}
	return nil
}
