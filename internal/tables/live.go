package tables

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// Live follows a table's file: Get returns the newest good version. It is safe
// for concurrent use.
type Live[T any] struct {
	// Path is the file; Parse reads its content.
	Path  string
	Parse func(content []byte) (*T, error)
	// Missing stands for a file that does not exist when it is opened or
	// reloaded; nil makes that an error.
	Missing *T
	// Report is told after each change why the file is not taken, or with nil
	// that it was.
	Report func(error)

	mu      sync.Mutex
	current *T
	seen    stamp             // of the last version read, good or bad
	sum     [sha256.Size]byte // of its content
	failed  string            // why the last version was not read, as reported
}

// settle is how long after a change a file may change again unseen: the clock
// of a file system ticks.
const settle = 50 * time.Millisecond

// stamp tells one version of a file from another.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
	missing      bool
	settled      bool // nothing can have changed without another stamp
}

// stampOf makes the stamp of a file as stat describes it.
func stampOf(info os.FileInfo, err error) stamp {
	if err != nil {
		return stamp{missing: true, settled: true}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{size: info.Size()}
	}
	return stampOfStat(st)
}

func stampOfStat(st *syscall.Stat_t) stamp {
	return stamp{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim,
		settled: time.Since(time.Unix(st.Ctim.Unix())) > settle}
}

// Open reads the file for the first time, or once more whether it changed or
// not. After an error, which is returned and not reported, the version before
// stays in force.
func (l *Live[T]) Open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	content, err := l.read()
	if errors.Is(err, fs.ErrNotExist) && l.Missing != nil {
		l.current = l.Missing
		return nil
	}
	if err != nil {
		return err
	}
	return l.take(content)
}

// Get returns the version in force, after a look whether the file changed. A
// file that is gone, unreadable or wrong leaves the version before in force.
func (l *Live[T]) Get() *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.look()
	if l.seen == now {
		return l.current
	}
	l.seen = now // read sets the true one, unless it cannot open the file
	before := l.sum
	content, err := l.read()
	if err != nil && !now.missing {
		return l.unread(err)
	}
	failed := l.failed
	l.failed = ""
	if err == nil && before == l.sum && failed == "" {
		return l.current // the same content under a new stamp
	}
	if err == nil {
		err = l.take(content)
	}
	if l.Report != nil {
		l.Report(err)
	}
	return l.current
}

// look returns the stamp of the file, without the garbage of os.Stat: this runs at
// each request.
func (l *Live[T]) look() stamp {
	var st syscall.Stat_t
	if err := syscall.Stat(l.Path, &st); err != nil {
		return stampOf(nil, err)
	}
	return stampOfStat(&st)
}

// unread reports err once and lets the next Get try again: what kept the file
// from being read, such as too few descriptors, may pass without a new stamp.
func (l *Live[T]) unread(err error) *T {
	l.seen = stamp{}
	if err.Error() != l.failed && l.Report != nil {
		l.Report(err)
	}
	l.failed = err.Error()
	return l.current
}

// read reads the file and remembers which version it was.
func (l *Live[T]) read() ([]byte, error) {
	content, info, err := readFile(l.Path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			l.seen, l.sum = stampOf(nil, err), [sha256.Size]byte{}
		}
		return nil, err
	}
	l.seen, l.sum = stampOf(info, nil), sha256.Sum256(content)
	return content, nil
}

// take puts a new version in force.
func (l *Live[T]) take(content []byte) error {
	t, err := l.Parse(content)
	if err != nil {
		return err
	}
	l.current = t
	return nil
}
