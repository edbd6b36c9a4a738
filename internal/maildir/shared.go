package maildir

import (
	"sync"

	"posthorn/internal/durable"
)

// folders shares the syncs and listings of folders by deliveries that run at the
// same time.
type folders struct {
	disk *durable.Disk

	mu   sync.Mutex
	open map[fileID]*folder
}

type folder struct {
	syncs durable.Group
	looks looks
	users int
}

// sync returns after a sync of the folder id that began after the call. dirfd
// is the caller's descriptor of it, and name what the hook calls it.
func (f *folders) sync(id fileID, dirfd int, name string) error {
	shared := f.enter(id)
	defer f.leave(id, shared)
	return shared.syncs.Do(func() error { return f.disk.SyncDirAt(dirfd, name) })
}

func (f *folders) enter(id fileID) *folder {
	f.mu.Lock()
	defer f.mu.Unlock()
	shared := f.open[id]
	if shared == nil {
		shared = new(folder)
		if f.open == nil {
			f.open = make(map[fileID]*folder)
		}
		f.open[id] = shared
	}
	shared.users++
	return shared
}

func (f *folders) leave(id fileID, shared *folder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if shared.users--; shared.users == 0 {
		delete(f.open, id)
	}
}

// flight lets one caller make a Maildir and the others wait: a folder that is
// visible may have parents whose names are not durable yet.
type flight struct {
	mu      sync.Mutex
	running map[string]*making
}

type making struct {
	done chan struct{}
	err  error
}

// do runs make for path, or waits for whoever runs it.
func (f *flight) do(path string, make func() error) error {
	f.mu.Lock()
	if f.running[path] != nil {
		f.mu.Unlock()
		return f.wait(path)
	}
	m := f.begin(path)
	f.mu.Unlock()
	m.err = make()
	close(m.done)
	f.mu.Lock()
	delete(f.running, path)
	f.mu.Unlock()
	return m.err
}

func (f *flight) begin(path string) *making {
	if f.running == nil {
		f.running = map[string]*making{}
	}
	m := &making{done: make(chan struct{})}
	f.running[path] = m
	return m
}

// wait returns when nobody makes path (any more), with the maker's error.
func (f *flight) wait(path string) error {
	f.mu.Lock()
	m := f.running[path]
	f.mu.Unlock()
	if m == nil {
		return nil
	}
	<-m.done
	return m.err
}

// together calls do for all at the same time and returns when all have
// returned.
func together[T any](all []T, do func(T)) {
	if len(all) == 1 {
		do(all[0])
		return
	}
	var wait sync.WaitGroup
	for _, one := range all {
		wait.Go(func() { do(one) })
	}
	wait.Wait()
}
