package mailbox

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/index"
	"posthorn/internal/maildir"
	"posthorn/internal/picture"
	"posthorn/internal/statefile"
)

// uidStep is how many UIDs are reserved at a time where nobody else reads the
// uidlist.
const uidStep = 1000

// folder is a Maildir folder that some session of this process uses. What mu
// guards is the same for all sessions; what each has been told is in its View.
type folder struct {
	store *Store
	id    fileID
	dir   dovecot.Dir // the folder itself, where the control files stand
	new   int         // descriptors of new/ and cur/
	cur   int
	disk  string // the folder's name below the Maildir's root
	inbox bool   // the folder is that root
	fine  bool   // times of folders tell every change apart

	users int         // guarded by Store.mu
	idle  *time.Timer // guarded by Store.mu: closes the folder that nobody uses

	mu              sync.Mutex
	over            error     // why nobody can use the folder any more
	picture.Picture           // all messages, when loaded
	loaded          bool      // picture stands for the files
	resting         bool      // the index stands for the files: picture is empty
	dirty           bool      // something may have changed without a trace in the times
	lies            bool      // some record is lying
	uidls           bool      // some line of the list has a UIDL, or a place, that POP3 obeys
	used            bool      // the picture was needed since somebody looked
	late            uint      // some new mail got no UID: how long ago, in units of restAfter from 1 on; 0: none
	place           index.Dir // of the index, once it was asked for
	rest            rest
	texts           texts
	slept           picture.Pack // the UIDs when the picture was dropped; nil: it never was
	tired           *time.Timer  // ends the picture that nobody needs
	times           times        // of new/ and cur/ before they were last read
	shape           uint64       // counts messages that came or went
	list            *dovecot.Uidlist
	fresh           map[string]uint32 // UIDs from the list whose files were not seen yet
	cut             bool              // there were more of them than are kept: the list has to be read anew
	keywords        *dovecot.Keywords // not changed in place; the store's blank where there are none
	keystamp        keystamp
	state           *statefile.File
	words           // keywords without letters
	unshown         unshown
	told            uint32 // no session knows a UID from here on
	validity        uint32 // the UIDVALIDITY of the UIDs in picture
	news            int    // how many files stand in new/, at least

	alarm    atomic.Bool // the watch saw a change in cur/ that is not ours
	watched  bool        // since the first view
	audience audience
	ledger   ledger
	syncs    folderSyncs
}

// fileID tells one file from all others on this machine.
type fileID struct{ dev, ino uint64 }

// times are the modification times by which changes are noticed.
type times struct{ new, cur unix.Timespec }

// keystamp tells whether dovecot-keywords changed.
type keystamp struct {
	ino   uint64
	size  int64
	mtime unix.Timespec
}

// openFolder opens what is in the folder that dir has open; missing parts of a
// Maildir are made. After an error dir is closed.
func (s *Store) openFolder(root, dir dovecot.Dir, disk string, id fileID) (*folder, error) {
	f := &folder{store: s, keywords: s.blank, dir: dir, id: id, new: -1, cur: -1, disk: disk, inbox: disk == "."}
	err := f.openSubs()
	if err == unix.ENOENT {
		if err = makeMaildir(root, disk); err == nil {
			err = f.openSubs()
		}
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("opening folder %s: %w", dir.Path, err)
	}
	f.fine = s.fine && fineTimes(dir.FD)
	step := uint32(uidStep)
	if s.opt.Shared {
		step = 0 // others announce N as it stands
	}
	f.list = dovecot.NewUidlist(dir, step)
	f.state = statefile.New(dir, s.locker)
	if err := f.takeOver(); err != nil {
		f.close()
		return nil, fmt.Errorf("taking folder %s over from Courier: %w", dir.Path, err)
	}
	return f, nil
}

func (f *folder) openSubs() (err error) {
	if f.new < 0 {
		if f.new, err = beneath(f.dir.FD, "new"); err != nil {
			return err
		}
	}
	if f.cur < 0 {
		f.cur, err = beneath(f.dir.FD, "cur")
	}
	return err
}

// makeMaildir makes what is missing of the folder disk below root.
func makeMaildir(root dovecot.Dir, disk string) error {
	path := fmt.Sprintf("/proc/self/fd/%d", root.FD) // the very folder, whatever its path names now
	place := maildir.Place{Root: path, Path: path}
	if disk != "." {
		place.Path += "/" + disk
	}
	return maildir.Make(root.Disk, place)
}

// close gives the descriptors back. Nobody may use the folder any more.
func (f *folder) close() {
	f.unwatch()
	f.syncs.close()
	f.rest.close()
	f.texts.close()
	f.closeIndexDir()
	if f.tired != nil {
		f.tired.Stop()
	}
	if f.list != nil {
		f.list.Close()
	}
	for _, fd := range []int{f.new, f.cur, f.dir.FD} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// openTmp opens the folder's tmp/. The caller closes it.
func (f *folder) openTmp(root dovecot.Dir, disk string) (int, error) {
	fd, err := beneath(f.dir.FD, "tmp")
	if err == unix.ENOENT { // copies of Maildirs often lack empty folders
		if err = makeMaildir(root, disk); err == nil {
			fd, err = beneath(f.dir.FD, "tmp")
		}
	}
	if err != nil {
		return -1, fmt.Errorf("opening %s/tmp: %w", f.dir.Path, err)
	}
	return fd, nil
}

// now returns the present times of new/ and cur/.
func (f *folder) now() (t times, err error) {
	if t.new, err = mtime(f.new); err == nil {
		t.cur, err = mtime(f.cur)
	}
	return t, err
}

// glimpse is how a folder looks that is looked at now and then.
type glimpse struct {
	times
	settled bool
}

func (f *folder) glimpse() (glimpse, error) {
	t, err := f.now()
	return glimpse{t, f.settled(t.new) && f.settled(t.cur)}, err
}

// young is the age below which a coarse clock may give two changes one time.
const young = 10 * time.Millisecond

// settled reports whether every later change will give another time than ts.
func (f *folder) settled(ts unix.Timespec) bool {
	return f.fine || time.Since(time.Unix(ts.Unix())) >= young
}

// lock takes the folder's dotlock.
func (f *folder) lock() (*dovecot.Lock, error) {
	return f.store.locker.Lock(f.dir, dovecot.UidlistLock)
}

// batch runs changes of cur/ that are our own, so that they do not look like
// somebody else's afterwards. Where others share the folder it holds the
// dotlock meanwhile: a Dovecot that reads cur/ takes a rename for an expunge.
func (f *folder) batch(run func() error) (err error) {
	if f.store.opt.Shared {
		l, err := f.lock()
		if err != nil {
			return err
		}
		defer l.Release() // a lock that was taken away cannot be helped any more
	}
	return f.account(run)
}

// account is batch for a caller that holds the dotlock, or needs none.
func (f *folder) account(run func() error) error {
	before, err := mtime(f.cur)
	if err != nil {
		return err
	}
	known := before == f.times.cur && !f.dirty && f.ledger.live() && !f.alarm.Load()
	rerr := run()
	after, err := mtime(f.cur)
	if err != nil || !known || !f.settled(after) {
		f.dirty = true // nobody would have told us of a change in between
	} else {
		f.times.cur = after
	}
	return errors.Join(rerr, err)
}

// end closes the folder to its sessions, all of which get why. f is locked, and
// the caller has entered it.
func (f *folder) end(why error) {
	f.over = why
	f.unwatch()
	f.store.retire(f)
	f.audience.tell(nil)
}

// unwatch ends the watching of the folder, if a view ever had it begun.
func (f *folder) unwatch() {
	if f.watched {
		f.watched = false
		f.store.unwatch(f)
	}
}

// mtime returns the modification time of an open folder; one that was removed
// meanwhile has none.
func mtime(fd int) (unix.Timespec, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(fd, &st) })
	if err == nil && st.Nlink == 0 {
		err = unix.ENOENT
	}
	return st.Mtim, err
}

// identify returns which file fd has open.
func identify(fd int) (fileID, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(fd, &st) })
	return fileID{uint64(st.Dev), st.Ino}, err
}

// beneath opens the folder name, one name in dirfd, and follows no symbolic
// link. Kernels before 5.6 and some sandboxes have no openat2; for a single
// name O_NOFOLLOW is the same.
func beneath(dirfd int, name string) (fd int, err error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	}
	err = retry(func() (err error) {
		fd, err = unix.Openat2(dirfd, name, &how)
		return err
	})
	if err == unix.ENOSYS || err == unix.EPERM {
		err = retry(func() (err error) {
			fd, err = unix.Openat(dirfd, name, int(how.Flags)|unix.O_NOFOLLOW, 0)
			return err
		})
	}
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// fineTimes reports whether the file system gives each change of a folder a
// time of its own once the last was looked at (kernel 6.13 and later).
func fineTimes(fd int) bool {
	var st unix.Statfs_t
	if retry(func() error { return unix.Fstatfs(fd, &st) }) != nil {
		return false
	}
	switch int64(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// fineKernel reports whether the kernel is 6.13 or later.
func fineKernel() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 6 || major == 6 && minor >= 13
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// gone reports whether err says that a name is not there.
func gone(err error) bool { return errors.Is(err, os.ErrNotExist) }
