package mailbox

import (
	"bytes"

	"golang.org/x/sys/unix"

	"posthorn/internal/maildir"
	"posthorn/internal/picture"
)

// twin is a file whose base name another file has as well: a rename while the
// folder was read, or a real second file.
type twin struct {
	record int
	info   string
	state  picture.State
}

// twins settles which of two names of one message is there. Two real files
// both stay: the second gets a name of its own and is another message. It is the one
// whose name the message had not had before, if that is known.
func (s *scan) twins() error {
	for _, t := range s.twice {
		f, r := s.f, &s.f.Records[t.record]
		one := f.isMessage(f.Base(r), []byte(f.Info(r)), r.State)
		other := f.isMessage(f.Base(r), []byte(t.info), t.state)
		switch {
		case other && !one:
			f.update(r, []byte(t.info), t.state)
		case other && one:
			if s.same(t) {
				first := twin{t.record, f.Info(r), standing(r)}
				f.update(r, []byte(t.info), t.state)
				t = first
			}
			if err := s.part(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// unbear takes files out of the picture again that came to new/ with names of messages
// in cur/, which a brief scan does not read, and reports whether there are any.
func (s *scan) unbear() bool {
	f, twins := s.f, make(map[int]bool)
	if len(f.Records) == s.old {
		return false
	}
	for i := range f.Records[:s.old] {
		if at := s.bornAs(f.Base(&f.Records[i])); at >= 0 {
			twins[at] = true
		}
	}
	if len(twins) == 0 {
		return false
	}
	at := -1
	f.Keep(func(*picture.Record) bool {
		at++
		return !twins[at]
	})
	s.twice = nil // the next look finds them
	return true
}

// few is how many names it is faster to compare with one after the other, as when mail
// comes to a large mailbox.
const few = 4

// bornAs returns which of the records that are new has the name base, -1 for none.
func (s *scan) bornAs(base []byte) int {
	f := s.f
	if len(f.Records)-s.old > few {
		if at := s.table.Find(base); at >= s.old {
			return at
		}
		return -1
	}
	for at := s.old; at < len(f.Records); at++ {
		if bytes.Equal(base, f.Base(&f.Records[at])) {
			return at
		}
	}
	return -1
}

// standing is the state of a file of which no more is known than where it stands: where
// r's does.
func standing(r *picture.Record) picture.State {
	if r.State&picture.InNew != 0 {
		return picture.InNew | picture.Unclaimed
	}
	return 0
}

// same reports whether a name is the one that its message had before the scan.
func (s *scan) same(t twin) bool {
	was, ok := s.had[t.record]
	return ok && was.info == t.info && (was.state^t.state)&picture.InNew == 0
}

// part gives a second file of one base name a name of its own. A second name
// of the same file is left alone: somebody may be about to remove it.
func (s *scan) part(t twin) error {
	f, r := s.f, &s.f.Records[t.record]
	from, name := f.where(t.state), string(f.Base(r))+t.info
	if f.sameFile(f.where(r.State), f.File(r), from, name) {
		return nil
	}
	info := t.info
	if info == "" && t.state&picture.InNew == 0 {
		info = ":2,"
	}
	own := f.store.uniqueName(-1, -1) + info
	err := f.batch(func() error { return f.rename(from, name, from, own) })
	f.dirty = true // the time changed under our hands
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	s.file(maildir.Entry{Name: []byte(own)}, t.state)
	return nil
}

func (f *folder) sameFile(fd1 int, name1 string, fd2 int, name2 string) bool {
	var a, b unix.Stat_t
	err := retry(func() error { return unix.Fstatat(fd1, name1, &a, unix.AT_SYMLINK_NOFOLLOW) })
	if err == nil {
		err = retry(func() error { return unix.Fstatat(fd2, name2, &b, unix.AT_SYMLINK_NOFOLLOW) })
	}
	return err == nil && a.Dev == b.Dev && a.Ino == b.Ino
}
