package mailbox

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/id"
	"posthorn/internal/maildir"
	"posthorn/internal/picture"
)

// Attic is the folder, beside the INBOX's cur/, in which a box keeps for a while
// what was removed from it. Mail programs do not take it for a mailbox, nor do
// quotas count it: its name begins with no dot. In it stand Maildirs++ like the box
// itself: one for each day, with the messages that were expunged on it by the
// folder they were in, and one for each folder that was deleted.
const Attic = "posthorn-undelete"

// What the names of these Maildirs++ begin with, in UTC.
const (
	dayLayout  = "2006-01-02"
	timeLayout = "2006-01-02T150405"
)

// KeepRemoved says how long the Store's boxes keep what is removed from them, at
// least; what is removed while it is 0 is gone at once.
func (s *Store) KeepRemoved(d time.Duration) { s.keep.Store(int64(d)) }

// shelf is where the attic takes what is removed from one folder at the moment.
type shelf struct {
	box   *Box
	day   string // the Maildir++, below the box's root
	disk  string // the folder in it
	made  bool   // it was not there before
	dir   int    // descriptors of the folder and its cur/
	cur   int
	terms *terms // what the keywords are here, of those in known
	known picture.Bits
}

// shelf opens the place for what is removed from f now, and makes it where it is
// missing. The caller closes it.
func (b *Box) shelf(f *folder) (_ *shelf, err error) {
	s := &shelf{box: b, day: Attic + "/" + time.Now().UTC().Format(dayLayout), disk: f.disk, cur: -1}
	if s.dir, s.made, err = b.openShelf(s.day + "/" + s.disk); err != nil {
		return nil, err
	}
	if s.cur, err = beneath(s.dir, "cur"); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *shelf) close() {
	unix.Close(s.dir)
	if s.cur >= 0 {
		unix.Close(s.cur)
	}
}

// swept reports whether another process, which keeps nothing, has removed the place.
func (s *shelf) swept() bool { return gone(whole(s.dir)) }

// whole returns nil for a Maildir that has all that a shelf needs.
func whole(dir int) error {
	var st unix.Stat_t
	for _, name := range []string{"tmp", "cur"} {
		if err := retry(func() error { return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
			return err
		}
	}
	return nil
}

// openShelf opens the Maildir at path below the box's root. Its tmp/ is the sign
// that the names of all of it are durable, whoever made them; else it is made.
func (b *Box) openShelf(path string) (dir int, made bool, err error) {
	p := b.beneath(path)
	for {
		if dir, err = maildir.Open(p); err == nil {
			if err = whole(dir); err == nil {
				return dir, made, nil
			}
			unix.Close(dir)
		}
		if !gone(err) || made {
			return -1, made, err
		}
		if err := maildir.Make(b.root.Disk, p); err != nil {
			return -1, false, err
		}
		made = true
	}
}

// beneath returns the folder at path below the box's root: the very one that is
// open, whatever its path names now.
func (b *Box) beneath(path string) maildir.Place {
	root := "/proc/self/fd/" + strconv.Itoa(b.root.FD)
	return maildir.Place{Root: root, Path: root + "/" + path}
}

// take moves a message's file here, with the flags and keywords it has.
func (s *shelf) take(f *folder, r *picture.Record) error {
	flags, words := r.Flags, f.wordsOf(r)
	if flags&picture.KeywordBits != 0 || words != nil {
		if err := s.adopt(f, r); err != nil {
			return err
		}
		flags, words = s.terms.translate(flags, words)
	}
	err := s.put(f, r, string(f.Base(r)), picture.WriteInfo(f.Info(r), flags), words)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENAMETOOLONG) {
		base := f.store.uniqueName(hint(r.Size), hint(r.VSize)) + idField + emailID(f.Base(r))
		err = s.put(f, r, base, ":2,"+flags.Letters(), words)
	}
	return err
}

// put gives the file its name here, and its keywords before, of which none is for
// a letter.
func (s *shelf) put(f *folder, r *picture.Record, base, info string, words []string) error {
	if len(words) > 0 {
		err := s.with(func(to *folder) error {
			to.mu.Lock()
			defer to.mu.Unlock()
			return to.fileWords([]*draft{{base: base, words: words}})
		})
		if err != nil {
			return err
		}
	}
	err := f.rename(f.where(r.State), f.File(r), s.cur, base+info)
	if errors.Is(err, unix.EXDEV) {
		err = s.carry(f, r, base+info)
	}
	return err
}

// carry copies a message from another file system.
func (s *shelf) carry(f *folder, r *picture.Record, name string) error {
	tmp, err := beneath(s.dir, "tmp")
	if err != nil {
		return err
	}
	defer unix.Close(tmp)
	disk, d := f.dir.Disk, &draft{tmp: f.store.uniqueName(-1, -1)}
	if err := (&copying{from: f, tmp: tmp}).content(r, d); err != nil {
		return err
	}
	if err := disk.RenameNewAt(tmp, d.tmp, s.cur, name); err != nil {
		discard(disk, tmp, []*draft{d})
		return err
	}
	if err := disk.SyncDirAt(s.cur, s.day+"/"+s.disk); err != nil {
		return err
	}
	return f.remove(f.where(r.State), f.File(r))
}

// adopt has the shelf know the keywords of a message.
func (s *shelf) adopt(f *folder, r *picture.Record) error {
	if s.terms != nil && (r.Flags&picture.KeywordBits)&^s.known == 0 {
		return nil
	}
	names, table := f.spoken([]uint32{r.UID}), f.keywords
	s.known |= r.Flags & picture.KeywordBits
	return s.with(func(to *folder) (err error) {
		s.terms, err = to.learn(names, table)
		if errors.Is(err, ErrKeywords) || errors.Is(err, ErrBadKeyword) { // no reason to let nothing be removed
			s.terms, err = new(terms), nil
		}
		return err
	})
}

// with runs what needs the control files of the shelf.
func (s *shelf) with(run func(*folder) error) error {
	day := s.box.root
	fd, err := maildir.Open(s.box.beneath(s.day))
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	day.FD, day.Path = fd, day.Path+"/"+s.day
	to, err := s.box.store.enter(day, s.disk)
	if err != nil {
		return err
	}
	defer s.box.store.leave(to)
	return run(to)
}

// stow takes the folder disk to the attic with all that is in it, so that it can
// come back as it was. ok is false where nothing is kept: of a folder without
// messages too.
func (b *Box) stow(disk string) (ok bool, err error) {
	if b.store.keep.Load() <= 0 {
		return false, nil
	}
	has, err := b.weigh(b.root.FD, disk)
	if err != nil || has.messages == 0 {
		return false, err
	}
	place := Attic + "/" + time.Now().UTC().Format(timeLayout) + "." + id.New()
	fd, _, err := b.openShelf(place)
	if err != nil {
		return false, fmt.Errorf("deleting folder: %w", err)
	}
	unix.Close(fd)
	if err := b.all([]move{{disk, place + "/" + disk}}); err != nil {
		return false, err
	}
	b.addSize(-has.bytes, -has.messages)
	_ = b.Sweep(time.Now()) // what cannot be removed now is met again
	return true, nil
}

// addSize notes what came or went. A line that could not be written costs a
// recount, no message.
func (b *Box) addSize(bytes int64, messages int) {
	_ = maildir.AddSize(b.root.Disk, b.root.FD, bytes, messages)
}

// weigh counts the messages of the folder disk in dirfd, and what they are for the
// quota. One that is not there has none.
func (b *Box) weigh(dirfd int, disk string) (has freed, err error) {
	dir, err := beneath(dirfd, disk)
	if err != nil {
		return has, ignoreGone(err)
	}
	defer unix.Close(dir)
	for _, name := range []string{"cur", "new"} {
		if err := has.weigh(dir, name); err != nil {
			return has, ignoreGone(err)
		}
	}
	return has, nil
}

func (has *freed) weigh(dir int, name string) error {
	fd, err := beneath(dir, name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for name, err := range maildir.List(fd) {
		if err != nil {
			return err
		}
		has.bytes += fileSize(fd, string(name))
		has.messages++
	}
	return nil
}

func ignoreGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}
