package durable

import (
	"os"
	"sync"
)

// Folder is an open folder whose syncs are shared: whoever waits while one
// runs gets the next together. It is safe for concurrent use.
type Folder struct {
	disk *Disk
	path string
	file *os.File

	mu      sync.Mutex
	running bool
	next    *commit // who waits for the sync after the running one
}

// commit is one sync that several callers wait for.
type commit struct {
	done chan struct{}
	err  error
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
	f.mu.Lock()
	if f.next == nil {
		f.next = &commit{done: make(chan struct{})}
	}
	c := f.next
	if !f.running {
		f.running = true
		go f.run()
	}
	f.mu.Unlock()
	<-c.done
	return c.err
}

// run syncs as long as somebody waits.
func (f *Folder) run() {
	for {
		f.mu.Lock()
		c := f.next
		f.next = nil
		if c == nil {
			f.running = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		c.err = f.disk.syncFolder(f.file, f.path)
		close(c.done)
	}
}

// Close gives the descriptor back. No Sync may run or follow.
func (f *Folder) Close() error { return f.file.Close() }
