package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"posthorn/internal/id"
)

// leftoverAge is the age at which a temporary file in incoming is nobody's:
// no SMTP transaction lives for a day.
const leftoverAge = 36 * time.Hour

// collectBatch bounds the messages, and so the open files, of one step.
const collectBatch = 100

// kept is a message in incoming that has got its name in the queue.
type kept struct {
	path  string // in incoming
	entry Entry
	names *bucket // which to leave; nil when the message was in the queue before
}

// Collect takes over what smtpd kept in incoming while queued did not answer,
// and returns it when it is durable in the queue and nowhere else. known tells
// where a message of an id is in the queue; a Ref that is not placed says that
// it is being handed over now and is left alone. It is for one caller at a
// time.
func (s *Spool) Collect(known func(msg string) (Ref, bool)) ([]Entry, error) {
	dir := s.Incoming().Dir
	names, err := readNames(dir)
	if err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	var all []Entry
	for len(names) > 0 {
		n := min(len(names), collectBatch)
		entries, err := s.collectSome(dir, names[:n], known)
		all = append(all, entries...)
		if err != nil {
			return all, fmt.Errorf("collect: %w", err)
		}
		names = names[n:]
	}
	return all, nil
}

// collectSome gives a batch their names in the queue, makes these durable, and
// then takes away the names in incoming, durably too: the messages may leave
// the queue from then on, and must not come back.
func (s *Spool) collectSome(dir string, names []string, known func(string) (Ref, bool)) ([]Entry, error) {
	var batch []kept
	for _, name := range names {
		path := filepath.Join(dir, name)
		if !id.Valid(name) {
			s.stray(path, name)
			continue
		}
		k, err := s.keep(path, name, known)
		switch {
		case err != nil:
			s.log.SpoolFailed(name, err) // it stays, for the next time
		case k != nil:
			batch = append(batch, *k)
		}
	}
	if len(batch) == 0 {
		return nil, nil
	}
	return s.settle(dir, batch)
}

// settle ends a batch. What fails here stays in incoming too and is found to
// be in the queue already the next time.
func (s *Spool) settle(dir string, batch []kept) ([]Entry, error) {
	synced := map[*bucket]error{}
	var entries []Entry
	var failed []error
	for _, k := range batch {
		err, done := synced[k.names]
		if !done && k.names != nil {
			err = k.names.folder.Sync()
			synced[k.names] = err
		}
		if err == nil {
			err = s.disk.Remove(k.path)
		}
		if err != nil {
			failed = append(failed, err)
		}
		if k.names != nil {
			entries = append(entries, k.entry)
		}
	}
	for _, k := range batch {
		if k.names != nil {
			s.leave(k.names, 1)
		}
	}
	return entries, errors.Join(append(failed, s.disk.SyncDir(dir))...)
}

// keep gives one kept message its name in the queue, or finds that it has one.
// nil says that nothing is to be done now.
func (s *Spool) keep(path, name string, known func(string) (Ref, bool)) (*kept, error) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENXIO) {
		return nil, s.setAside(path, name, fmt.Errorf("%w: %w", ErrFormat, err))
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ref, there := known(name) // asked first: what leaves says so in its file before it is forgotten
	m, err := read(f)
	if err == nil && m.ID != name {
		err = fmt.Errorf("%w: found id %s in the file of %s", ErrFormat, m.ID, name)
	}
	switch {
	case errors.Is(err, ErrFormat):
		return nil, s.setAside(path, name, err)
	case err != nil:
		return nil, err
	case m.Gone:
		return &kept{path: path}, nil
	}
	if there {
		return s.alreadyThere(path, f, ref)
	}
	m.spool = s
	return s.enqueue(path, m)
}

// alreadyThere deals with a message that is in the queue under the same id:
// the same file has one name too many, another file is odd.
func (s *Spool) alreadyThere(path string, f *os.File, ref Ref) (*kept, error) {
	if !ref.Placed() {
		return nil, nil
	}
	here, err := f.Stat()
	if err != nil {
		return nil, err
	}
	there, err := os.Lstat(ref.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it has left the queue meanwhile, and its file says so
	}
	if err != nil {
		return nil, err
	}
	if !os.SameFile(here, there) {
		return nil, s.setAside(path, ref.ID(), ErrExists)
	}
	return &kept{path: path}, s.disk.SyncDir(ref.bucket.path)
}

// enqueue links a kept message into the queue.
func (s *Spool) enqueue(path string, m *Message) (*kept, error) {
	if err := s.disk.Sync(m.file); err != nil {
		return nil, err
	}
	b, err := s.enter()
	if err != nil {
		return nil, err
	}
	m.ref = newRef(m.ID, b)
	if err := s.disk.LinkFile(m.file, m.ref.path()); err != nil {
		s.leave(b, 0)
		return nil, err
	}
	return &kept{path: path, entry: m.Entry(), names: b}, nil
}

// stray looks at a name in incoming that is no id: a draft of a file system
// without unnamed files, which is removed when its maker must be dead, or
// something that does not belong there.
func (s *Spool) stray(path, name string) {
	info, err := os.Lstat(path)
	if err != nil || s.now().Sub(info.ModTime()) < leftoverAge {
		return
	}
	if !strings.HasPrefix(name, tmpPrefix) || !info.Mode().IsRegular() {
		err = s.setAside(path, "", fmt.Errorf("%w: in incoming", ErrFormat))
	} else if err = s.disk.Remove(path); err == nil {
		s.log.Leftover(name)
	}
	if err != nil {
		s.log.SpoolFailed("", err)
	}
}
