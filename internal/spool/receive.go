package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/id"
)

// The lines that may come last: the message had reached its end, or its name
// was taken back because it could not be made durable.
var (
	recordGone    = attr.List{{Name: "gone", Value: "yes"}}
	recordAborted = attr.List{{Name: "aborted", Value: "yes"}}
)

// Errors of Receive, Commit and Probe.
var (
	// ErrDescriptor means that what was handed over is not what the protocol
	// asks for.
	ErrDescriptor = errors.New("the descriptor is not as expected")
	// ErrDeparted means that the very file was in the queue and has left it:
	// the message was delivered or its sender told. Its maker may be content.
	ErrDeparted = errors.New("the message has been in the queue and has left it")
	// errAborted means that the file had a name in the queue that was taken back.
	errAborted = errors.New("the file could not be made durable before")
	// ErrExists means that a message of this id is in the queue.
	ErrExists = errors.New("a message of this id is in the queue")
)

// Receive takes in the message that f is, a descriptor that its maker opened
// for reading only, and opens it for writing. It has no name in the queue
// before Commit. f is the message's from then on; after an error it stays the
// caller's.
func (s *Spool) Receive(f *os.File, msg string) (*Message, error) {
	rw, err := s.reopen(f)
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	m, err := read(rw)
	if err == nil && m.ID != msg {
		err = fmt.Errorf("%w: found id %s, expected %.40q", ErrDescriptor, m.ID, msg)
	}
	if err == nil && m.Aborted {
		err = errAborted
	}
	if err != nil {
		rw.Close()
		return nil, fmt.Errorf("receive: %w", err)
	}
	m.spool, m.ro = s, f
	return m, nil
}

// reopen checks a descriptor from outside and opens its file for writing. That
// takes read and write permission on the file, which linking it takes too.
func (s *Spool) reopen(f *os.File) (*os.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: found %v, expected a regular file", ErrDescriptor, info.Mode().Type())
	}
	mode, err := accessMode(f)
	if err != nil {
		return nil, err
	}
	if mode != unix.O_RDONLY {
		return nil, fmt.Errorf("%w: it is not open for reading only", ErrDescriptor)
	}
	return attr.Reopen(f, unix.O_RDWR)
}

func accessMode(f *os.File) (mode int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var flags int
	var ferr error
	err = raw.Control(func(fd uintptr) { flags, ferr = unix.FcntlInt(fd, unix.F_GETFL, 0) })
	return flags & unix.O_ACCMODE, errors.Join(err, ferr)
}

// Folder opens the incoming folder as this process sees it, for a maker of
// messages in another mount namespace (Incoming.Through). The caller closes it.
func (s *Spool) Folder() (*os.File, error) { return os.Open(s.Incoming().Dir) }

// Holds reports whether the message at ref is the very file f.
func (s *Spool) Holds(ref Ref, f *os.File) bool {
	there, err := os.Lstat(ref.path())
	if err != nil {
		return false
	}
	here, err := f.Stat()
	return err == nil && os.SameFile(here, there)
}

// Compose makes a message of queued's own; write writes it with CRLF line
// ends. It has no name in the queue before Commit.
func (s *Spool) Compose(env Envelope, write func(io.Writer) error) (*Message, error) {
	d, err := s.Incoming().New(env)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if err := write(d); err != nil {
		return nil, err
	}
	if err := d.Finish(); err != nil {
		return nil, err
	}
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		return nil, err
	}
	m, err := s.Receive(ro, env.ID)
	if err != nil {
		ro.Close()
	}
	return m, err
}

// Commit makes the message durable under its id in the queue: lines set so
// far, file sync, name, folder sync. When it fails the message is not in the
// queue, and its maker must not say that it is.
func (s *Spool) Commit(m *Message) error {
	if err := m.write(); err != nil {
		return err
	}
	if err := s.disk.Sync(m.file); err != nil {
		return fmt.Errorf("sync message: %w", err)
	}
	m.pending = m.pending[:0]
	b, err := s.enter()
	if err != nil {
		return err
	}
	added := 0
	defer func() { s.leave(b, added) }()
	ref := newRef(m.ID, b)
	if err := s.link(m.file, ref.path()); err != nil {
		return err
	}
	if err := b.folder.Sync(); err != nil {
		if s.abort(m, ref) != nil {
			added = 1 // a copy stays that the next start finds: doc/spool.md
		}
		return fmt.Errorf("sync bucket: %w", err)
	}
	added = 1
	m.ref = ref
	return nil
}

// abort takes back the name of a message that could not be made durable. The
// line goes in front: without it the maker's own attempt to keep the file would
// take the lost name for a message that reached its end.
func (s *Spool) abort(m *Message, ref Ref) error {
	m.add(recordAborted)
	if err := m.write(); err != nil {
		return err
	}
	return s.disk.Remove(ref.path())
}

// link gives f its name in the queue.
func (s *Spool) link(f *os.File, path string) error {
	err := s.disk.LinkFile(f, path)
	switch {
	case errors.Is(err, fs.ErrExist):
		return ErrExists
	case errors.Is(err, fs.ErrNotExist) && departed(f, filepath.Dir(path)):
		return ErrDeparted
	case err != nil:
		return fmt.Errorf("name message: %w", err)
	}
	return nil
}

// Probe takes an empty file through the steps of the door: open for writing,
// name, remove.
func (s *Spool) Probe(f *os.File) error {
	rw, err := s.reopen(f)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer rw.Close()
	info, err := rw.Stat()
	if err != nil {
		return err
	}
	if info.Size() != 0 {
		return fmt.Errorf("probe: %w: found %d bytes, expected an empty file", ErrDescriptor, info.Size())
	}
	b, err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave(b, 0)
	path := filepath.Join(b.path, probePrefix+id.New())
	if err := s.disk.LinkFile(rw, path); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return s.disk.Remove(path)
}
