package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"posthorn/internal/durable"
)

// A bucket takes new messages for so long or so many, so that the names of one
// moment share a folder, and with it one folder sync.
const (
	bucketAge  = 10 * time.Minute
	bucketSize = 10_000
)

// bucket is one folder of the queue. Its fields are guarded by Spool.mu.
type bucket struct {
	name   string
	path   string
	folder *durable.Folder // nil when it takes no new messages
	born   time.Time
	count  int // messages in it
	using  int // callers between enter and leave
}

// enter returns the bucket for a new message, made durable before. The caller
// says leave when the message has its name or has failed to get it.
func (s *Spool) enter() (*bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.current
	if b == nil || b.count+b.using >= bucketSize || s.now().Sub(b.born) >= bucketAge {
		var err error
		if b, err = s.newBucket(); err != nil {
			return nil, err
		}
		old := s.current
		s.current = b
		s.tidy(old)
	}
	b.using++
	return b, nil
}

// leave ends what enter began; added is 1 when the message got its name.
func (s *Spool) leave(b *bucket, added int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.using--
	b.count += added
	s.tidy(b)
}

// forget counts a message that left its bucket.
func (s *Spool) forget(b *bucket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.count--
	s.tidy(b)
}

// newBucket makes a folder of a name that is not taken and makes it durable.
func (s *Spool) newBucket() (*bucket, error) {
	now := s.now()
	base := now.UTC().Format("20060102-150405")
	for n := range 1000 {
		name := base
		if n > 0 {
			name = fmt.Sprintf("%s.%d", base, n)
		}
		path := filepath.Join(s.dir, "queue", name)
		err := s.disk.Mkdir(path, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("make bucket: %w", err)
		}
		return s.openBucket(name, path, now)
	}
	return nil, fmt.Errorf("make bucket %s: every name is taken", base)
}

func (s *Spool) openBucket(name, path string, now time.Time) (*bucket, error) {
	if err := s.disk.SyncDir(filepath.Join(s.dir, "queue")); err != nil {
		s.disk.RemoveDir(path) // an empty one that stays is removed at the next start
		return nil, fmt.Errorf("make bucket: %w", err)
	}
	folder, err := s.disk.Folder(path)
	if err != nil {
		return nil, fmt.Errorf("make bucket: %w", err)
	}
	return &bucket{name: name, path: path, folder: folder, born: now}, nil
}

// tidy closes a bucket that takes no more messages and removes it when the
// last one left. A crash before the removal is on disk leaves an empty folder
// for the next start.
func (s *Spool) tidy(b *bucket) {
	if b == nil || b == s.current || b.using > 0 {
		return
	}
	if b.folder != nil {
		b.folder.Close()
		b.folder = nil
	}
	if b.count == 0 {
		s.disk.RemoveDir(b.path)
	}
}
