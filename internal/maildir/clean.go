package maildir

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// stale is the age from which a file in tmp/ belongs to nobody any more, as
// the Maildir specification has it.
const stale = 36 * time.Hour

// Clean removes the files that crashes left in tmp/, whose descriptor is
// tmpfd: regular files that nobody touched for 36 hours before now. Links and
// folders stay, nothing is followed. It goes on after an error and returns
// all of them.
func Clean(d *durable.Disk, tmpfd int, now time.Time) error {
	var errs []error
	var old []string
	for name, err := range List(tmpfd) {
		if err != nil {
			errs = append(errs, err)
			break
		}
		if isStale(tmpfd, string(name), now.Add(-stale)) {
			old = append(old, string(name))
		}
		if len(old) == 1000 { // bounded memory; the next call goes on
			break
		}
	}
	for _, name := range old {
		if err := d.RemoveAt(tmpfd, name); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// isStale takes the later of both times: a copied file may have an old mtime.
func isStale(dirfd int, name string, limit time.Time) bool {
	var st unix.Stat_t
	if unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	m, c := time.Unix(st.Mtim.Unix()), time.Unix(st.Ctim.Unix())
	return m.Before(limit) && c.Before(limit)
}
