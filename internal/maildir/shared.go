package maildir

import (
	"strconv"
	"sync"

	"posthorn/internal/durable"
)

// folders shares the directory syncs of deliveries that run at the same time.
type folders struct {
	disk *durable.Disk

	mu   sync.Mutex
	open map[fileID]*folder
}

type folder struct {
	*durable.Folder
	users int
}

// sync returns after a sync of the folder id that began after the call. dirfd
// is the caller's descriptor of it.
func (f *folders) sync(id fileID, dirfd int) error {
	shared, err := f.enter(id, dirfd)
	if err != nil {
		return err
	}
	defer f.leave(id, shared)
	return shared.Sync()
}

func (f *folders) enter(id fileID, dirfd int) (*folder, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shared := f.open[id]
	if shared == nil {
		// The very folder that dirfd has open, whatever its path names now.
		opened, err := f.disk.Folder("/proc/self/fd/" + strconv.Itoa(dirfd))
		if err != nil {
			return nil, err
		}
		shared = &folder{Folder: opened}
		if f.open == nil {
			f.open = make(map[fileID]*folder)
		}
		f.open[id] = shared
	}
	shared.users++
	return shared, nil
}

func (f *folders) leave(id fileID, shared *folder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if shared.users--; shared.users == 0 {
		delete(f.open, id)
		shared.Close()
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
