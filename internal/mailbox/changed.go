package mailbox

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Changed returns when the message's file was last changed as the kernel counts
// it (ctime), which a new flag does: a message is at least that long as it is.
func (b *Body) Changed() (time.Time, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(b.fd, &st) }); err != nil {
		return time.Time{}, fmt.Errorf("looking at message: %w", err)
	}
	return time.Unix(st.Ctim.Unix()), nil
}
