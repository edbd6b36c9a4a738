package mailbox

import (
	"time"

	"golang.org/x/sys/unix"
)

// Measure is At with Size and Date known; it asks the file where the name does
// not say. Errors: ErrExpunged.
func (v *View) Measure(seq int) (m Message, err error) {
	m = v.At(seq)
	if m.Size < 0 {
		b, err := v.Open(seq)
		if err != nil {
			return Message{}, err
		}
		m.Size = b.Size()
		b.Close()
	}
	if m.Date.IsZero() {
		err = v.date(&m)
	}
	return m, err
}

// date asks the file for the internal date.
func (v *View) date(m *Message) error {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	ts, err := f.fileTime(m.UID)
	if gone(err) {
		f.dirty = true
		if err := f.refreshFor(nil); err != nil {
			return err
		}
		ts, err = f.fileTime(m.UID)
	}
	if gone(err) {
		return ErrExpunged
	}
	m.Date = ts
	return err
}

// fileTime returns the file's time, which is the internal date.
func (f *folder) fileTime(uid uint32) (time.Time, error) {
	if err := f.need(); err != nil {
		return time.Time{}, err
	}
	r := f.Find(uid)
	if r == nil {
		return time.Time{}, ErrExpunged
	}
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(f.where(r.State), f.File(r), &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return time.Time{}, err
	}
	t := time.Unix(st.Mtim.Unix())
	f.SetDate(r, t)
	return t, nil
}
