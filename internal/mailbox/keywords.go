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
	f.keystamp, f.keywords = now, f.store.blank
	if keywords != *f.store.blank {
		f.keywords = &keywords
	}
	return nil
}

// needKeywords gives names letters as long as there are any; the others are
// kept in posthorn-state. Errors: ErrKeywords, ErrBadKeyword.
func (f *folder) needKeywords(names []string) error {
	for _, name := range names {
		if dovecot.CheckKeyword(name) != nil {
			return ErrBadKeyword
		}
	}
	if f.keywords.Room() && !f.hasKeywords(names) {
		if err := f.addKeywords(names); err != nil {
			return err
		}
	}
	return f.roomForWords(f.unlettered(names))
}

// addKeywords gives names the letters that are free.
func (f *folder) addKeywords(names []string) error {
	l, err := f.lock()
	if err != nil {
		return err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	if err := f.loadKeywords(); err != nil {
		return err
	}
	keywords := *f.keywords
	if err := keywords.Add(names); err != nil && !errors.Is(err, dovecot.ErrKeywordsFull) {
		return err
	}
	if keywords == *f.keywords {
		return nil
	}
	if err := keywords.Save(f.dir); err != nil {
		return err
	}
	return f.loadKeywords()
}

// hasKeywords reports whether all names have letters, or are kept elsewhere.
func (f *folder) hasKeywords(names []string) bool {
	for _, name := range names {
		if f.keywords.Index(name) < 0 && f.word(name) < 0 {
			return false
		}
	}
	return true
}
