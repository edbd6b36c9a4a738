package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/id"
)

// ErrLocked means that another queued works on the spool.
var ErrLocked = errors.New("another queued works on this spool")

// probePrefix begins the names under which probes are linked for a moment.
const probePrefix = "probe."

// Spool is queued's end: one process at a time has it. It is safe for
// concurrent use, each Message in it by one goroutine at a time.
type Spool struct {
	dir  string
	disk *durable.Disk
	log  *evlog.Log
	lock *os.File
	now  func() time.Time

	mu      sync.Mutex
	current *bucket
}

// Ref is a message's place in the queue: small, and good for as long as the
// message is there.
type Ref struct {
	key    id.Key
	bucket *bucket
}

// ID returns the message's id.
func (r Ref) ID() string { return r.key.String() }

// Key returns the key of the message's id.
func (r Ref) Key() id.Key { return r.key }

// Placed reports whether the message has a name in the queue.
func (r Ref) Placed() bool { return r.bucket != nil }

// Unplaced returns the Ref of a message that has no name in the queue yet.
func Unplaced(msg string) Ref { return newRef(msg, nil) }

func newRef(msg string, b *bucket) Ref {
	return Ref{key: id.KeyOf(msg), bucket: b}
}

func (r Ref) path() string { return filepath.Join(r.bucket.path, r.ID()) }

// Owner is to whom the folders of a spool belong: queued, and the group of
// those who make messages.
type Owner struct{ UID, GID, Incoming int }

// folders are the folders of a spool with the modes that keep each process to
// its part: smtpd makes files in incoming and sees no queue.
func (o Owner) folders(dir string) []folder {
	return []folder{
		{dir, 0o750, o.UID, o.Incoming},
		{filepath.Join(dir, "incoming"), 0o770 | os.ModeSetgid | os.ModeSticky, o.UID, o.Incoming},
		{filepath.Join(dir, "queue"), 0o700, o.UID, o.GID},
		{filepath.Join(dir, "odd"), 0o700, o.UID, o.GID},
	}
}

type folder struct {
	path     string
	mode     os.FileMode
	uid, gid int
}

// Prepare makes what is missing of the folders of the spool in dir. It is for
// a process that may give files away, or owns everything itself.
func Prepare(dir string, disk *durable.Disk, o Owner) error {
	if err := disk.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("prepare spool: %w", err)
	}
	for _, f := range o.folders(dir) {
		if err := f.make(disk); err != nil {
			return fmt.Errorf("prepare spool: %w", err)
		}
	}
	return nil
}

// make makes a folder that does not exist; one that does stays as its
// administrator wants it.
func (f folder) make(disk *durable.Disk) error {
	err := disk.Mkdir(f.path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if f.uid != os.Geteuid() || f.gid != os.Getegid() {
		if err := os.Chown(f.path, f.uid, f.gid); err != nil {
			return err
		}
	}
	if err := os.Chmod(f.path, f.mode); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(f.path))
}

// Open takes the spool in dir. ErrLocked says that another process has it. The
// caller closes it.
func Open(dir string, disk *durable.Disk, log *evlog.Log) (*Spool, error) {
	s := &Spool{dir: dir, disk: disk, log: log, now: time.Now}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if err := flock(lock, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	s.lock = lock
	return s, nil
}

// flock takes the lock, which ends with the process, or gives it back (LOCK_UN).
func flock(f *os.File, how int) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lerr error
	err = raw.Control(func(fd uintptr) { lerr = syscall.Flock(int(fd), how) })
	if lerr == syscall.EWOULDBLOCK {
		return ErrLocked
	}
	return errors.Join(err, lerr)
}

// Close gives the spool up. Nothing of it may be in use.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.current
	s.current = nil
	s.tidy(b)
	// A child between its fork and its exec has the descriptor too, and with it
	// the lock, unless that is given back.
	return errors.Join(flock(s.lock, syscall.LOCK_UN), s.lock.Close())
}

// Incoming returns the folder in which messages are made.
func (s *Spool) Incoming() Incoming {
	return Incoming{Dir: filepath.Join(s.dir, "incoming"), Disk: s.disk}
}

// Entry is what is remembered of a message that rests in the queue.
type Entry struct {
	Ref  Ref
	Time time.Time // of arrival
	Try  int       // the last try that ended
	Next time.Time // zero: at once
	Held bool
	Owed []string // notices that are recorded and may not have been sent
	Told bool     // it is a notice itself, or cannot be read and may be one
}

// Entry returns what is to be remembered of m.
func (m *Message) Entry() Entry {
	e := Entry{Ref: m.ref, Time: m.Time, Try: m.Try, Next: m.Next, Held: m.Held, Told: m.Origin == "bounce"}
	for i := range m.Notices {
		if n := &m.Notices[i]; !n.Sent {
			e.Owed = append(e.Owed, n.ID)
		}
	}
	return e
}

// Load opens a message of the queue. ErrFormat says that it cannot be read
// now or ever: see Odd.
func (s *Spool) Load(ref Ref) (*Message, error) {
	f, err := os.OpenFile(ref.path(), os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, syscall.ELOOP) {
			err = fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return nil, fmt.Errorf("load message: %w", err)
	}
	m, err := read(f)
	if err == nil && m.ID != ref.ID() {
		err = fmt.Errorf("%w: found id %s in the file of %s", ErrFormat, m.ID, ref.ID())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("load message: %w", err)
	}
	m.spool, m.ref = s, ref
	return m, nil
}

// Remove takes a message that has reached its end out of the queue. When the
// file has another name, which smtpd gave it without knowing that queued has
// it, the end is recorded first, so that it is not collected again. The
// removal reaches the disk with a later folder sync.
func (s *Spool) Remove(m *Message) error {
	if err := m.endBesides(1); err != nil {
		return err
	}
	if err := s.disk.Remove(m.ref.path()); err != nil {
		return fmt.Errorf("remove message: %w", err)
	}
	// smtpd may have named it since we looked; a file without a name it cannot.
	if err := m.endBesides(0); err != nil {
		return err
	}
	s.forget(m.ref.bucket)
	return nil
}

// endBesides records that m has reached its end if its file has more names than
// so many.
func (m *Message) endBesides(names uint64) error {
	info, err := m.file.Stat()
	if err != nil || m.Gone || links(info) <= names {
		return err
	}
	m.add(recordGone)
	if err := m.Flush(); err != nil {
		return err
	}
	m.Gone = true
	return nil
}

// Forget drops the count of a message whose file is not there any more.
func (s *Spool) Forget(ref Ref) { s.forget(ref.bucket) }

// Odd moves what stands at ref to the folder odd, for the administrator.
func (s *Spool) Odd(ref Ref, why error) error {
	if err := s.setAside(ref.path(), ref.ID(), why); err != nil {
		return err
	}
	s.forget(ref.bucket)
	return nil
}

// setAside moves a file to odd under a name that is free there, and says so in
// the log.
func (s *Spool) setAside(path, msg string, why error) error {
	base := filepath.Join(s.dir, "odd", filepath.Base(path))
	to := base
	err := s.disk.RenameNew(path, to)
	for n := 1; errors.Is(err, fs.ErrExist) && n < 1000; n++ {
		to = fmt.Sprintf("%s.%d", base, n)
		err = s.disk.RenameNew(path, to)
	}
	if err == nil {
		err = s.disk.SyncDir(filepath.Join(s.dir, "odd"))
	}
	if err != nil {
		return fmt.Errorf("set aside: %w", err)
	}
	s.log.Odd(msg, to, why)
	return nil
}

// Scan calls each with every message of the queue, in order of arrival. It is
// for the start, before anything else happens in the queue, and reads names only:
// the caller has each examined. What is no message by its name is moved to odd.
func (s *Spool) Scan(each func(Ref)) error {
	queue := filepath.Join(s.dir, "queue")
	folders, err := os.ReadDir(queue)
	if err != nil {
		return fmt.Errorf("scan queue: %w", err)
	}
	// What a killed queued named and did not sync is made durable here: other
	// names of a message are removed because it has one in the queue.
	if err := s.disk.SyncDir(queue); err != nil {
		return fmt.Errorf("scan queue: %w", err)
	}
	for _, d := range folders {
		path := filepath.Join(queue, d.Name())
		if !d.IsDir() {
			if err := s.setAside(path, "", fmt.Errorf("%w: in the place of a bucket", ErrFormat)); err != nil {
				return err
			}
			continue
		}
		b := &bucket{name: d.Name(), path: path, using: 1}
		if err := s.scanBucket(b, each); err != nil {
			return err
		}
		s.leave(b, 0)
	}
	return nil
}

func (s *Spool) scanBucket(b *bucket, each func(Ref)) error {
	names, err := readNames(b.path)
	if err != nil {
		return fmt.Errorf("scan bucket: %w", err)
	}
	if err := s.disk.SyncDir(b.path); err != nil {
		return fmt.Errorf("scan bucket: %w", err)
	}
	for _, name := range names {
		path := filepath.Join(b.path, name)
		switch {
		case strings.HasPrefix(name, probePrefix) && isEmpty(path):
			if err := s.disk.Remove(path); err != nil {
				return err
			}
			continue
		case !id.Valid(name):
			if err := s.setAside(path, "", fmt.Errorf("%w: the name is no id", ErrFormat)); err != nil {
				return err
			}
			continue
		}
		b.count++
		each(newRef(name, b))
	}
	return nil
}

// Examine reads a message that Scan found. One that is none is moved to odd, and
// ok is false. One that cannot be read for another reason than its form is named
// in the log and to be tried at once: the reason may pass.
func (s *Spool) Examine(ref Ref) (e Entry, ok bool) {
	m, err := s.Load(ref)
	if errors.Is(err, ErrFormat) {
		if err = s.Odd(ref, err); err == nil {
			return Entry{}, false
		}
	}
	if err != nil {
		s.log.SpoolFailed(ref.ID(), err)
		arrived, _ := id.Time(ref.ID()) // the id is valid
		return Entry{Ref: ref, Time: arrived, Told: true}, true
	}
	defer m.Close()
	return m.Entry(), true
}

// readNames lists a folder in order.
func readNames(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func isEmpty(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}
