package mailbox

import (
	"strconv"
	"sync"

	"posthorn/internal/durable"
)

// folderSyncs shares the directory syncs of those who file messages in one
// folder at the same time. Its zero value is ready.
type folderSyncs struct {
	mu       sync.Mutex
	cur, new *durable.Folder
}

// syncNames makes the names made so far in cur/, new/ or both durable.
func (f *folder) syncNames(cur, fresh bool) error {
	if cur {
		if err := f.syncs.sync(f.dir.Disk, &f.syncs.cur, f.cur); err != nil {
			return err
		}
	}
	if fresh {
		return f.syncs.sync(f.dir.Disk, &f.syncs.new, f.new)
	}
	return nil
}

func (s *folderSyncs) sync(d *durable.Disk, shared **durable.Folder, fd int) error {
	s.mu.Lock()
	if *shared == nil {
		// The very folder that fd has open, whatever its path names now.
		opened, err := d.Folder("/proc/self/fd/" + strconv.Itoa(fd))
		if err != nil {
			s.mu.Unlock()
			return err
		}
		*shared = opened
	}
	folder := *shared
	s.mu.Unlock()
	return folder.Sync()
}

// close closes what was opened. No sync may run.
func (s *folderSyncs) close() {
	for _, shared := range []*durable.Folder{s.cur, s.new} {
		if shared != nil {
			shared.Close()
		}
	}
}
