package mailbox

import (
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
)

// Options are what a Store is made with.
type Options struct {
	Disk   *durable.Disk
	Node   string     // in the names of new files; unique among machines that share Maildirs
	Shared bool       // others than this host's Posthorn touch these Maildirs (mail-shared)
	Log    *evlog.Log // nil: nothing is logged
}

// Store is a process's access to mailboxes: it shares the pictures of folders
// between sessions. It is safe for concurrent use.
type Store struct {
	opt Options
}

// New returns a Store. Close it when no session is left.
func New(o Options) *Store { return &Store{opt: o} }

// Close ends the watching of folders. No Box may be in use any more.
func (s *Store) Close() error { return nil }

// Open opens the user's mailbox whose Maildir is path, and makes it (0700)
// when it is missing. The caller closes it.
func (s *Store) Open(path string) (*Box, error) { return nil, errUnspecified }
