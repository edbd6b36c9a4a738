package dovecot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// The names of the dotlocks.
const (
	UidlistLock       = "dovecot-uidlist.lock"
	subscriptionsLock = "subscriptions.lock"
	uidvalidityLock   = "dovecot-uidvalidity.lock" // Dovecot takes none
)

const (
	staleAfter = 120 * time.Second     // Dovecot's for the uidlist
	emptyAfter = 2 * time.Second       // who makes a lock writes into it at once
	lockWait   = 130 * time.Second     // longer, so that a stale lock of another host is outlived
	tick       = 50 * time.Millisecond // the times of files are behind the clock by less
	firstPause = 200 * time.Microsecond
	lastPause  = 50 * time.Millisecond
)

// ErrLockTimeout means that a lock was held by somebody alive for too long.
var ErrLockTimeout = errors.New("lock is held by another process")

// Locker makes dotlocks in the name of this process. There is one a process;
// it is safe for concurrent use.
type Locker struct {
	host    string
	pid     int
	started time.Time

	mu   sync.Mutex
	held map[lockFile]bool
}

// lockFile tells one lock file from all others.
type lockFile struct{ dev, ino uint64 }

// NewLocker returns the process's Locker.
func NewLocker() (*Locker, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding the host's name for lock files: %w", err)
	}
	return &Locker{host: host, pid: os.Getpid(), started: time.Now(), held: make(map[lockFile]bool)}, nil
}

// Lock is a held dotlock.
type Lock struct {
	locker *Locker
	dir    Dir
	name   string
	file   lockFile
}

// Lock takes the dotlock name in d, and waits while another holds it. A lock
// whose process is gone from this host is broken at once, any other after
// 120 s. Errors: ErrLockTimeout.
func (k *Locker) Lock(d Dir, name string) (*Lock, error) {
	deadline := time.Now().Add(lockWait)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		l, err := k.try(d, name)
		if !errors.Is(err, os.ErrExist) {
			return l, err
		}
		broken, err := k.breakStale(d, name)
		if err != nil {
			return nil, fmt.Errorf("breaking a stale lock: %w", err)
		}
		if broken {
			continue
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s/%s: %w", d.Path, name, ErrLockTimeout)
		}
		time.Sleep(pause) // a dotlock has nothing to wait on
	}
}

// try makes the lock file, or fails with os.ErrExist.
func (k *Locker) try(d Dir, name string) (*Lock, error) {
	var st unix.Stat_t
	if retry(func() error { return unix.Fstatat(d.FD, name, &st, unix.AT_SYMLINK_NOFOLLOW) }) == nil {
		return nil, os.ErrExist
	}
	f, err := k.create(d, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	id, err := identify(f)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.held[id] = true
	k.mu.Unlock()
	return &Lock{k, d, name, id}, nil
}

// lockPerm lets others see whose lock it is.
const lockPerm = 0o644

// create makes the lock file with its content in one step, so that whoever
// dies in the middle leaves none of which nobody knows the owner. Where the
// file system has no unnamed files, it is made empty first.
func (k *Locker) create(d Dir, name string) (*os.File, error) {
	dir := "/proc/self/fd/" + strconv.Itoa(d.FD)
	f, err := d.Disk.Unnamed(dir, lockPerm)
	named := errors.Is(err, durable.ErrNoUnnamed)
	if named {
		f, err = d.Disk.CreateAt(d.FD, name, lockPerm)
	}
	if err != nil {
		return nil, err
	}
	_, err = d.Disk.Write(f, []byte(strconv.Itoa(k.pid)+":"+k.host))
	switch {
	case err == nil && !named:
		err = d.Disk.LinkFile(f, dir+"/"+name)
	case err != nil && named:
		d.Disk.RemoveAt(d.FD, name) // it is ours and says nothing
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("making lock file: %w", err)
	}
	return f, nil
}

// Release removes the lock file, unless somebody who thought it stale did.
func (l *Lock) Release() error {
	l.locker.mu.Lock()
	delete(l.locker.held, l.file)
	l.locker.mu.Unlock()
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(l.dir.FD, l.name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err == nil && (lockFile{uint64(st.Dev), st.Ino}) != l.file {
		err = unix.ENOENT
	}
	if err != nil {
		return fmt.Errorf("lock file %s/%s was taken away: %w", l.dir.Path, l.name, err)
	}
	if err := l.dir.Disk.RemoveAt(l.dir.FD, l.name); err == nil {
		return nil
	}
	// Once more: everybody would wait two minutes for what is left here.
	return l.dir.Disk.RemoveAt(l.dir.FD, l.name)
}

// breakStale removes the lock when its holder is gone. Those who break locks
// exclude each other by flock on the stale file itself, so that none removes
// the fresh lock that another has just taken in its place.
func (k *Locker) breakStale(d Dir, name string) (broken bool, err error) {
	f, err := d.open(name, unix.O_RDONLY)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return true, nil
	case errors.Is(err, os.ErrPermission) && d.young(name):
		return false, nil // made by root, who is about to give it away
	case err != nil:
		return false, err
	}
	defer f.Close()
	if stale, err := k.stale(f); err != nil || !stale {
		return false, err
	}
	if err := flock(f); err != nil {
		return false, nil // another breaks it at this moment, or this file system has no flock
	}
	id, err := identify(f)
	if err != nil {
		return false, err
	}
	var now unix.Stat_t
	if err := retry(func() error { return unix.Fstatat(d.FD, name, &now, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return errors.Is(err, os.ErrNotExist), nil
	}
	if (lockFile{uint64(now.Dev), now.Ino}) != id {
		return true, nil // a new lock stands there: try again from the start
	}
	if err = d.Disk.RemoveAt(d.FD, name); errors.Is(err, os.ErrNotExist) {
		return true, nil // its holder was not gone, only slow
	}
	return err == nil, err
}

// young reports whether the file name was made so short a time ago that its maker may
// not be done with it.
func (d Dir) young(name string) bool {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(d.FD, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return err == nil && time.Since(time.Unix(st.Mtim.Unix())) < emptyAfter
}

// stale reports whether the holder written in f is gone.
func (k *Locker) stale(f *os.File) (bool, error) {
	st, err := f.Stat()
	if err != nil {
		return false, err
	}
	if age := time.Since(st.ModTime()); age > staleAfter || age > emptyAfter && st.Size() == 0 {
		return true, nil
	}
	content, err := io.ReadAll(io.LimitReader(f, 512))
	if err != nil {
		return false, err
	}
	pid, host, ok := parseLock(string(content))
	if !ok || host != k.host {
		return false, nil // being written, or another host's: only age tells
	}
	if pid == k.pid {
		return k.left(f, st.ModTime()), nil
	}
	return errors.Is(unix.Kill(pid, 0), unix.ESRCH), nil
}

// left reports whether a lock with this process's pid was left by an earlier
// process of the same pid, as happens after a restart in a container.
func (k *Locker) left(f *os.File, made time.Time) bool {
	id, err := identify(f)
	if err != nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.held[id] && made.Add(tick).Before(k.started)
}

// parseLock takes apart `pid:host`.
func parseLock(s string) (pid int, host string, ok bool) {
	p, host, ok := strings.Cut(strings.TrimSpace(s), ":")
	pid, err := strconv.Atoi(p)
	return pid, host, ok && err == nil && pid > 0
}

// identify returns which file f is.
func identify(f *os.File) (lockFile, error) {
	st, err := f.Stat()
	if err != nil {
		return lockFile{}, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return lockFile{}, fmt.Errorf("%s: no inode number", f.Name())
	}
	return lockFile{uint64(sys.Dev), sys.Ino}, nil
}

// flock takes an exclusive flock on f without waiting.
func flock(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	err = raw.Control(func(fd uintptr) {
		ferr = retry(func() error { return unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
	})
	return errors.Join(err, ferr)
}

// Stale reports whether there is a dotlock name in d whose holder is gone.
func (k *Locker) Stale(d Dir, name string) (bool, error) {
	f, err := d.open(name, unix.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	return k.stale(f)
}
