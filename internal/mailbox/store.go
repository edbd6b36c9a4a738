package mailbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/calm"
	"posthorn/internal/dovecot"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/id"
	"posthorn/internal/index"
	"posthorn/internal/maildir"
	"posthorn/internal/watch"
)

// Options are what a Store is made with.
type Options struct {
	Disk   *durable.Disk // nil: one of its own
	Node   string        // in the names of new files; unique among machines that share Maildirs
	Shared bool          // others than this host's Posthorn touch these Maildirs (mail-shared)
	Log    *evlog.Log    // nil: nothing is logged

	// Index returns the folder in which a process of that uid has the index files of
	// all folders, and "" or no Index says that each has its own. It is the uid's alone,
	// and made where that can be.
	Index func(uid int) string
}

// A folder that nobody uses stays open for a while, since its next user is
// often the same; so many of them at most. Of more it is known at which UID they
// go on.
const (
	lingerFor = 10 * time.Second
	maxLinger = 256
	maxMarks  = 4096
)

// mark is what is known of a folder while nobody uses it.
type mark struct {
	list    dovecot.Mark
	unshown unshown
}

// Store is a process's access to mailboxes: it shares the pictures of folders
// between sessions. It is safe for concurrent use.
type Store struct {
	opt    Options
	log    *evlog.Log
	node   string
	fine   bool   // the kernel gives fine times
	boot   uint64 // of this machine, 0 when it is not known
	locker *dovecot.Locker
	lerr   error // why there is no locker

	mu      sync.Mutex
	folders map[fileID]*folder
	marks   map[fileID]mark // of folders that were closed
	idle    int             // folders without users
	closed  bool

	watchOnce sync.Once
	newWatch  *watch.Watcher[*folder] // nil when the kernel gave none
	curWatch  *watch.Watcher[*folder]
	watchErr  error
	poller    watch.Poller[*folder, glimpse] // looks at the others
	unwatched sync.Once                      // logs only the first
	unindexed atomic.Int64                   // when it was last logged that there is no index, in nanoseconds since 1970
	keep      atomic.Int64                   // how long the attic keeps what is removed; 0: it does not
	sentry    sentry
	filings   atomic.Uint32
	calm      calm.Watch               // of pictures that were dropped
	sights    *memory[aspect, Status]  // by their cur/
	rolls     *memory[trace, []string] // by the Maildir's root
	blank     *dovecot.Keywords        // of all folders without keywords
	blocks    sync.Pool                // of *blocks, of messages that were closed
}

// New returns a Store. Close it when no session is left.
func New(o Options) *Store {
	s := &Store{opt: o, log: o.Log, node: maildir.EscapeNode(o.Node), fine: fineKernel(), blank: new(dovecot.Keywords), boot: index.Boot(), folders: make(map[fileID]*folder), marks: make(map[fileID]mark), sights: newMemory[aspect, Status](maxSights), rolls: newMemory[trace, []string](maxRolls)}
	if s.opt.Disk == nil {
		s.opt.Disk = new(durable.Disk)
	}
	if s.log == nil {
		s.log = evlog.New(io.Discard)
	}
	s.locker, s.lerr = dovecot.NewLocker()
	s.poller.Every, s.poller.Now, s.poller.Told = pollEvery, (*folder).glimpse, func(f *folder, _ error) { f.audience.tell(nil) }
	s.sentry.rounds.Every, s.sentry.rounds.Now, s.sentry.rounds.Told = pollEvery, (*beat).now, s.sentry.met
	return s
}

// Close ends the watching of folders. No Box may be in use any more.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, f := range s.folders {
		if f.users == 0 {
			s.drop(f)
		}
	}
	s.mu.Unlock()
	s.watchOnce.Do(func() { s.watchErr = ErrClosed })
	for _, w := range []*watch.Watcher[*folder]{s.newWatch, s.curWatch} {
		if w != nil {
			w.Close()
		}
	}
	s.poller.Close()
	s.sentry.close()
	return nil
}

// Open opens the user's mailbox whose Maildir is path, and makes it (0700)
// when it is missing, with the folders on the way to it. The caller closes it.
func (s *Store) Open(path string) (*Box, error) {
	if s.lerr != nil {
		return nil, s.lerr
	}
	path = filepath.Clean(path)
	fd, err := maildir.Open(maildir.Place{Path: path})
	if errors.Is(err, os.ErrNotExist) {
		if err = maildir.Make(s.opt.Disk, maildir.Place{Root: existing(path), Path: path}); err == nil {
			fd, err = maildir.Open(maildir.Place{Path: path})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening mailbox: %w", err)
	}
	b := &Box{store: s, root: dovecot.Dir{Disk: s.opt.Disk, FD: fd, Path: path}}
	if err := b.takeOver(); err != nil {
		b.Close()
		return nil, fmt.Errorf("opening mailbox: %w", err)
	}
	return b, nil
}

// existing returns the nearest folder above path that is there.
func existing(path string) string {
	for {
		path = filepath.Dir(path)
		if st, err := os.Stat(path); err == nil && st.IsDir() || path == "/" {
			return path
		}
	}
}

// enter returns the folder disk below root, shared with all who use it. Errors:
// ErrNoFolder.
func (s *Store) enter(root dovecot.Dir, disk string) (*folder, error) {
	dir := root
	if disk != "." {
		dir.Path += "/" + disk
	}
	var err error
	dir.FD, err = beneath(root.FD, disk)
	if err == unix.ENOENT || err == unix.ENOTDIR || err == unix.ELOOP {
		return nil, ErrNoFolder
	}
	if err != nil {
		return nil, fmt.Errorf("opening folder %s: %w", dir.Path, err)
	}
	id, err := identify(dir.FD)
	if err != nil {
		unix.Close(dir.FD)
		return nil, fmt.Errorf("opening folder %s: %w", dir.Path, err)
	}
	if f := s.known(id); f != nil {
		unix.Close(dir.FD)
		return f, nil
	}
	f, err := s.openFolder(root, dir, disk, id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.join(id); have != nil { // another session was faster
		f.close()
		return have, nil
	}
	m := s.marks[id]
	delete(s.marks, id) // from now on f knows more
	f.list.Resume(m.list)
	f.unshown = m.unshown
	s.folders[id] = f
	f.users++
	return f, nil
}

// known enters the folder id if it is open.
func (s *Store) known(id fileID) *folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.join(id)
}

// join is known for a caller that holds s.mu.
func (s *Store) join(id fileID) *folder {
	f := s.folders[id]
	if f == nil {
		return nil
	}
	if f.users == 0 {
		s.idle--
		f.idle.Stop()
	}
	f.users++
	return f
}

// hold enters a folder for the folder's own sake; false when it is not in use any
// more.
func (s *Store) hold(f *folder) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.users > 0 && s.folders[f.id] == f && s.join(f.id) == f
}

// leave is called once for each enter.
func (s *Store) leave(f *folder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.users--; f.users > 0 {
		return
	}
	if s.folders[f.id] != f {
		f.close()
		return
	}
	s.idle++
	if s.closed || s.idle > maxLinger {
		s.drop(f)
		return
	}
	f.idle = time.AfterFunc(lingerFor, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if f.users == 0 && s.folders[f.id] == f {
			s.drop(f)
		}
	})
}

// retire has the next enter open the folder anew; f closes when all have left.
// The caller is one of them.
func (s *Store) retire(f *folder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folders[f.id] == f {
		delete(s.folders, f.id)
	}
}

// drop closes a folder that nobody uses; s.mu is held.
func (s *Store) drop(f *folder) {
	if f.idle != nil {
		f.idle.Stop()
	}
	s.idle--
	delete(s.folders, f.id)
	for id := range s.marks {
		if len(s.marks) < maxMarks {
			break
		}
		delete(s.marks, id) // any: it costs the folder some UIDs, and \Recent
	}
	s.marks[f.id] = mark{f.list.Mark(), f.unshown}
	f.close()
}

// watch starts watching f for its first session.
func (s *Store) watch(f *folder) {
	s.watchOnce.Do(func() {
		if s.newWatch, s.watchErr = watch.New(0, toldNew); s.watchErr == nil {
			s.curWatch, s.watchErr = watch.New(curPause, toldCur)
		}
	})
	err := s.watchErr
	if err == nil {
		f.ledger.set(true)
		if err = s.curWatch.Add(f, f.cur, curEvents); err == nil {
			err = s.newWatch.Add(f, f.new, newEvents)
		}
	}
	if err != nil {
		s.unwatch(f)
		s.unwatched.Do(func() { s.log.FolderUnwatched(f.dir.Path, err) })
		s.poller.Add(f)
	}
}

// unwatch ends the watching of f.
func (s *Store) unwatch(f *folder) {
	f.ledger.set(false)
	if s.watchErr == nil {
		s.curWatch.Remove(f)
		s.newWatch.Remove(f)
	}
	s.poller.Remove(f)
}

// uniqueName returns the base name of a new message file; a size of -1 is left
// out.
func (s *Store) uniqueName(size, virtual int64) string { return s.name(id.New(), size, virtual) }

// name is uniqueName for a message with an id of its own.
func (s *Store) name(id string, size, virtual int64) string {
	unique := strconv.FormatInt(time.Now().Unix(), 10) + "." + id + "." + s.node
	return maildir.Name{Unique: unique, Size: size, Virtual: virtual}.Base()
}

// openMessage opens a message file for reading, never through a symbolic link.
func openMessage(dirfd int, name string) (*os.File, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
