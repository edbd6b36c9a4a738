package mailbox

import (
	"errors"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
)

// loadKeywords reads dovecot-keywords when it changed.
func (f *folder) loadKeywords() error {
	var st unix.Stat_t
	err := retry(func() error {
		return unix.Fstatat(f.dir.FD, "dovecot-keywords", &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err == unix.ENOENT {
		return nil // letters keep the names that we know
	}
	if err != nil {
		return err
	}
	now := keystamp{st.Ino, st.Size, st.Mtim}
	if now == f.keystamp {
		return nil
	}
	keywords, err := dovecot.LoadKeywords(f.dir)
	if err != nil {
		return err
	}
	f.keywords, f.keystamp = keywords, now
	return nil
}

// needKeywords makes sure that the folder has letters for names. Errors:
// ErrKeywords, ErrBadKeyword.
func (f *folder) needKeywords(names []string) error {
	if len(names) == 0 || f.hasKeywords(names) {
		return nil
	}
	l, err := f.lock()
	if err != nil {
		return err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	if err := f.loadKeywords(); err != nil {
		return err
	}
	keywords := f.keywords
	switch err := keywords.Add(names); {
	case errors.Is(err, dovecot.ErrKeywordsFull):
		return ErrKeywords
	case errors.Is(err, dovecot.ErrKeyword):
		return ErrBadKeyword
	case err != nil:
		return err
	}
	if keywords == f.keywords {
		return nil
	}
	if err := keywords.Save(f.dir); err != nil {
		return err
	}
	return f.loadKeywords()
}

func (f *folder) hasKeywords(names []string) bool {
	for _, name := range names {
		if f.keywords.Index(name) < 0 {
			return false
		}
	}
	return true
}
