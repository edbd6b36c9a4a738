package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/index"
)

// This file alone knows where the index files of a folder lie: in the folder, or
// with Options.Index in a tree of their own that has the paths of the folders. A path
// is one folder's at a time; that it is another's than before, the index's header
// tells.

// indexDir returns where the folder's index stands. One that cannot be reached has no
// lock to be had.
func (f *folder) indexDir() index.Dir {
	if f.place.Disk == nil {
		f.place = f.findIndex()
	}
	return f.place
}

func (f *folder) findIndex() index.Dir {
	here := index.Dir{Disk: f.dir.Disk, FD: f.dir.FD, Lock: f.cur, Path: f.dir.Path}
	path, err := f.store.indexPath(f.dir.FD)
	if err == nil && path == "" {
		return here
	}
	fd := -1
	if err == nil {
		_, err = mtime(f.dir.FD) // the path of one that is gone is nobody's
	}
	if err == nil {
		fd, err = f.store.openIndexDir(path)
	}
	f.forgo(err)
	// NFS has no such locks for folders: where the index is, there is its lock.
	apart := index.Dir{Disk: f.dir.Disk, FD: fd, Lock: fd, Path: path}
	if fd >= 0 && f.outdated() {
		// An error leaves an old index; the next who opens the folder tries again.
		_ = apart.Locked(func() error { return errors.Join(index.Remove(apart), index.Remove(here)) })
	}
	return apart
}

// outdated reports whether there is an index in the folder itself: who made it counted
// the changes there, and not where the index is now.
func (f *folder) outdated() bool {
	has, err := f.dir.Has(index.Name)
	return has || err != nil
}

// closeIndexDir gives back what indexDir opened.
func (f *folder) closeIndexDir() {
	if f.place.Disk != nil && f.apart() && f.place.FD >= 0 {
		unix.Close(f.place.FD)
	}
}

// apart reports whether the folder's index files lie elsewhere than its messages.
func (f *folder) apart() bool { return f.indexDir().FD != f.dir.FD }

// owner returns by what the header of the folder's index says whose it is: 0 where it
// lies in the folder.
func (f *folder) owner() uint64 {
	if f.apart() {
		return f.id.ino
	}
	return 0
}

// trusts reports whether the modseqs of an index count all changes of flags up to now.
// Hosts that share a folder do not see each other's indexes where these lie apart: what
// one of them changed and took back leaves a trace in the time of cur/ alone.
func (f *folder) trusts(h index.Header) bool {
	if !f.store.opt.Shared || !f.apart() {
		return true
	}
	now, err := mtime(f.cur)
	return err == nil && h.Flags&index.Settled != 0 && h.Cur == now.Nano()
}

// indexPath returns the folder for the index files of the folder that fd has open, ""
// where they lie in it: so do those of the attic and of the trash, with which they go.
func (s *Store) indexPath(fd int) (string, error) {
	if s.opt.Index == nil {
		return "", nil
	}
	own := s.opt.Index(os.Geteuid())
	if own == "" {
		return "", nil
	}
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || strings.Contains(path, "/"+Attic+"/") || strings.Contains(path, "/tmp/"+trash) {
		return "", err
	}
	return filepath.Join(own, path), nil
}

// openIndexDir opens the folder at path, and makes it where it is missing. It is this
// user's, or is not used: who owns it could write there what he likes.
func (s *Store) openIndexDir(path string) (int, error) {
	fd, err := openDir(path)
	if err == unix.ENOENT {
		if err := s.opt.Disk.MkdirAll(path, 0o700); err != nil {
			return -1, err
		}
		fd, err = openDir(path)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err = retry(func() error { return unix.Fstat(fd, &st) }); err == nil && int(st.Uid) != os.Geteuid() {
		err = fmt.Errorf("%s: found owner %d, expected %d", path, st.Uid, os.Geteuid())
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func openDir(path string) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// moveIndex has the index of a folder that was renamed follow it. It is forgotten where
// it cannot, and where the folder is none any more; so is one of an earlier folder of
// the new name.
func (b *Box) moveIndex(disk, to string) {
	base, err := b.store.indexPath(b.root.FD)
	if err != nil || base == "" {
		return
	}
	fd, err := openDir(base)
	if err != nil {
		return // no folder of this box has one
	}
	defer unix.Close(fd)
	if !strings.Contains(to, "/") {
		_ = b.empty(fd, to, 0, &freed{})
		if b.root.Disk.RenameAt(fd, disk, fd, to) == nil {
			return
		}
	}
	// What cannot be removed is known by its header for another folder's.
	_ = b.empty(fd, disk, 0, &freed{})
}

// toldEvery is how often it is logged that folders have no index.
const toldEvery = time.Hour

// patience is how long a folder does without its index: what is in the way of it, a full
// disk or too many open files, may be gone then.
const patience = 10 * time.Minute

// doWithout has the folder do without its index for a while if err is one.
func (f *folder) doWithout(err error) {
	if f.rest.off = f.forgo(err); f.rest.off {
		f.rest.again = time.Now().Add(patience)
	}
}

// tryAgain ends that while: the next look takes in what others have written meanwhile.
func (f *folder) tryAgain() {
	if !f.rest.off || time.Now().Before(f.rest.again) {
		return
	}
	f.closeIndexDir()
	f.place = index.Dir{}
	f.rest.off, f.texts.off = false, false
	f.rest.stale, f.dirty = true, true
}

// forgo reports whether err is one, and the folder does without an index, which costs
// time and nothing else. It logs that now and then; one that is only locked, or whose
// folder was removed, is no reason.
func (f *folder) forgo(err error) bool {
	if err == nil {
		return false
	}
	if _, there := mtime(f.dir.FD); there != nil || errors.Is(err, index.ErrBusy) {
		return true
	}
	now, last := time.Now().UnixNano(), f.store.unindexed.Load()
	if (last == 0 || now-last > int64(toldEvery)) && f.store.unindexed.CompareAndSwap(last, now) {
		f.store.log.FolderUnindexed(f.dir.Path, err)
	}
	return true
}
