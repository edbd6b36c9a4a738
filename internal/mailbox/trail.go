package mailbox

import (
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/statefile"
)

// trail is what shows that something happened in a folder, or to its files that
// matter to Lookouts.
type trail struct {
	folder, state, subscriptions unix.Timespec
	settled                      bool // a later change will not have the same times
}

// now returns the trail of a beat. A folder that has another name now is not there.
func (b *beat) now() (t trail, err error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Lstat(b.path, &st) }); err != nil {
		return t, err
	}
	if (fileID{uint64(st.Dev), st.Ino}) != b.id {
		return t, unix.ENOENT
	}
	t.folder = st.Mtim
	for name, to := range map[string]*unix.Timespec{statefile.Name: &t.state, "subscriptions": &t.subscriptions} {
		if err := retry(func() error { return unix.Lstat(b.path+"/"+name, &st) }); err == nil {
			*to = st.Mtim
		}
	}
	t.settled = true
	for _, at := range []unix.Timespec{t.folder, t.state, t.subscriptions} {
		t.settled = t.settled && time.Since(time.Unix(at.Unix())) >= young
	}
	return t, nil
}
