package tables

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"sync"

	"posthorn/internal/stamp"
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
	seen    stamp.Stamp       // of the last version read, good or bad
	sum     [sha256.Size]byte // of its content
	failed  string            // why the last version was not read, as reported
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
	now := stamp.Of(l.Path)
	if l.seen == now {
		return l.current
	}
	l.seen = now // read sets the true one, unless it cannot open the file
	before := l.sum
	content, err := l.read()
	if err != nil && !now.IsMissing() {
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

// unread reports err once and lets the next Get try again: what kept the file
// from being read, such as too few descriptors, may pass without a new stamp.
func (l *Live[T]) unread(err error) *T {
	l.seen = stamp.Stamp{}
	if err.Error() != l.failed && l.Report != nil {
		l.Report(err)
	}
	l.failed = err.Error()
	return l.current
}

// Seen returns the stamp of the file's newest version that was looked at. What Get
// returns afterwards rests on that version or a newer one.
func (l *Live[T]) Seen() stamp.Stamp {
	l.Get()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// read reads the file and remembers which version it was.
func (l *Live[T]) read() ([]byte, error) {
	content, info, err := readFile(l.Path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			l.seen, l.sum = stamp.Missing(), [sha256.Size]byte{}
		}
		return nil, err
	}
	l.seen, l.sum = stamp.OfInfo(info), sha256.Sum256(content)
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
