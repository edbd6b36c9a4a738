package durable

import (
	"os"
	"sync"
)

// Group shares syncs of one thing: whoever waits while one runs gets the next
// together. The zero Group works; it is safe for concurrent use.
type Group struct {
	turn sync.Mutex // held by the caller whose sync runs

	mu   sync.Mutex
	next *commit // who waits for the sync that has not begun
}

// commit is one sync that several callers wait for. It belongs to who has the
// turn.
type commit struct {
	done bool
	err  error
}

// Do returns after a sync, this caller's or another's, that began after the call.
// The callers' syncs must all do the same.
func (g *Group) Do(sync func() error) error {
	c := g.join()
	g.turn.Lock()
	defer g.turn.Unlock()
	if !c.done {
		g.leave()
		c.err, c.done = sync(), true
	}
	return c.err
}

func (g *Group) join() *commit {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.next = new(commit)
	}
	return g.next
}

// leave has who comes from now on wait for another sync.
func (g *Group) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = nil
}

// Folder is an open folder whose syncs are shared. It is safe for concurrent use.
type Folder struct {
	disk  *Disk
	path  string
	file  *os.File
	syncs Group
}

// Folder opens dir. The caller closes it.
func (d *Disk) Folder(dir string) (*Folder, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{disk: d, path: dir, file: f}, nil
}

// Path returns the folder's path as it was given.
func (f *Folder) Path() string { return f.path }

// Sync returns after a directory sync that began after the call: names made
// before the call are durable when it returns nil.
func (f *Folder) Sync() error {
	return f.syncs.Do(func() error { return f.disk.syncFolder(f.file, f.path) })
}

// Close gives the descriptor back. No Sync may run or follow.
func (f *Folder) Close() error { return f.file.Close() }
