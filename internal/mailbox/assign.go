package mailbox

import (
	"errors"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/picture"
)

// maxFresh bounds how many lines of the uidlist are kept in memory whose files
// were not seen: those of the highest UIDs. Most of a list can be of messages that are
// gone.
const maxFresh = 1024

// identify gives every file its UID: from the uidlist, or a new one.
func (s *scan) identify() error {
	err := s.loadList()
	if err == nil {
		err = s.settle() // which may find more
	}
	if err != nil && !errors.Is(err, dovecot.ErrNoList) {
		return err
	}
	if err != nil || s.unborn() > 0 {
		err = s.assign()
	}
	if err == nil {
		s.f.late = 0
		return nil
	}
	// New mail that gets no UID now (a full disk, a lock that is not given
	// back) stays where it is for the next time; the rest can be read.
	s.drop()
	s.f.dirty = true
	if s.f.list.UIDValidity() == 0 {
		return err
	}
	if s.f.late == 0 {
		s.f.late = 1
		s.f.store.log.UIDsDelayed(s.f.dir.Path, err)
	}
	return nil
}

// unborn counts the messages without a UID.
func (s *scan) unborn() (n int) {
	for i := range s.f.Records {
		if s.f.Records[i].UID == 0 {
			n++
		}
	}
	return n
}

// drop takes the messages without a UID out of the picture.
func (s *scan) drop() {
	s.f.Keep(func(r *picture.Record) bool { return r.UID != 0 })
}

// loadList takes in what is new in the uidlist.
func (s *scan) loadList() error {
	f := s.f
	if f.cut {
		f.cut = false
		f.list.Rewind()
	}
	if !s.brief {
		for name, uid := range f.fresh {
			if s.listed(dovecot.Record{UID: uid, Name: []byte(name)}) {
				delete(f.fresh, name)
			}
		}
	}
	reset := func() {
		if s.brief {
			s.brief = false
			s.start()
		}
		f.fresh = nil
		for i := range f.Records {
			f.Records[i].State |= picture.Unlisted
		}
	}
	err := f.list.Load(reset, func(r dovecot.Record) {
		if _, ok := savedPOP3(r); ok {
			f.uidls = true
		}
		if !s.listed(r) {
			f.remember(r)
		}
	})
	if err == nil && f.told > 0 && f.validity != 0 && f.validity != f.list.UIDValidity() {
		// These are other UIDs than the ones that sessions were told of.
		f.told = 0
		f.list.Rewind()
		return s.loadList()
	}
	if err == nil {
		s.unlist()
	}
	return err
}

// unlist takes the UID from messages that a new list does not name: each gets
// another one.
func (s *scan) unlist() {
	var lost []uint32
	for i := range s.f.Records {
		r := &s.f.Records[i]
		if r.State&picture.Unlisted == 0 {
			continue
		}
		r.State &^= picture.Unlisted
		if r.UID != 0 {
			lost = append(lost, r.UID)
			r.UID, r.Mod, s.shape = 0, 0, true
		}
	}
	s.f.Bury(lost)
}

// listed gives the message that r names its UID and reports whether its file
// was seen. The last of several lines for one file counts, as for Dovecot.
func (s *scan) listed(r dovecot.Record) bool {
	i := s.table.Find(r.Name)
	if i < 0 {
		return false
	}
	rec := &s.f.Records[i]
	if rec.UID != r.UID {
		// Sessions have been told higher UIDs: they would never see this one.
		if r.UID < s.f.told {
			return true
		}
		s.f.Bury([]uint32{rec.UID})
		rec.UID, rec.Mod = r.UID, 0
		s.shape = true
	}
	was := rec.Line
	if rec.Line = smallLine(r.At); was != 0 && was != rec.Line { // in another's new list
		s.f.Note(rec)
	}
	rec.State &^= picture.Unlisted
	size, vsize := either(rec.Size, r.Size('S')), either(rec.VSize, r.Size('W'))
	if size != rec.Size || vsize != rec.VSize {
		s.f.SetSizes(rec, size, vsize)
	}
	return true
}

// either returns the size that a name tells, else that of a line.
func either(name uint32, line int64) uint32 {
	if name != picture.Unknown {
		return name
	}
	return picture.Small(line)
}

// remember keeps a line whose file was not seen: it may have been written
// after the folder was read.
func (f *folder) remember(r dovecot.Record) {
	if f.fresh == nil {
		f.fresh = make(map[string]uint32)
	}
	f.fresh[string(r.Name)] = r.UID
	if len(f.fresh) < 2*maxFresh {
		return
	}
	uids := make([]uint32, 0, len(f.fresh))
	for _, uid := range f.fresh {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	for name, uid := range f.fresh {
		if uid < uids[maxFresh] {
			delete(f.fresh, name)
		}
	}
	f.cut = true
}

// assign gives new UIDs under the dotlock, in the order of arrival.
func (s *scan) assign() error {
	f := s.f
	l, err := f.lock()
	if err != nil {
		return err
	}
	defer l.Release()  // a lock that was taken away cannot be helped any more
	err = s.loadList() // what others assigned meanwhile
	if errors.Is(err, dovecot.ErrNoList) {
		err = f.createList()
	}
	if err != nil {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	unborn := s.arrivals()
	if len(unborn) == 0 {
		return nil
	}
	if n := f.list.Damaged(); n > 0 {
		f.store.log.UidlistRepaired(f.dir.Path, n)
	}
	recs := make([]dovecot.Record, len(unborn))
	for i, r := range unborn {
		recs[i].Name = f.Base(r)
	}
	if err := f.list.Reserve(uint32(len(recs))); err != nil {
		return err
	}
	if err := f.list.Append(recs); err != nil {
		return err
	}
	for i, r := range unborn {
		r.UID, r.Line = recs[i].UID, smallLine(recs[i].At)
	}
	return nil
}

// smallLine returns where a name stands in the uidlist as a record keeps it.
func smallLine(at int64) uint32 {
	if at > math.MaxUint32 {
		return 0
	}
	return uint32(at)
}

// settle sees to it that sessions hear of no UID while a lower one, that
// another process gave, was not seen: they could never be told of it.
func (s *scan) settle() error {
	f := s.f
	ok, err := s.seek()
	if err != nil || ok {
		return err
	}
	lowest := uint32(dovecot.MaxUID)
	for _, uid := range f.fresh {
		if uid >= f.told {
			lowest = min(lowest, uid)
		}
	}
	f.Keep(func(r *picture.Record) bool {
		if r.UID == 0 {
			return false // until the folder stands still
		}
		if r.UID < lowest || r.UID < f.told {
			return true
		}
		f.remember(dovecot.Record{UID: r.UID, Name: f.Base(r)})
		return false
	})
	return nil
}

// seek looks for the files of lines that others have written since we read the
// folder: a file gets its name before its line, so they are there, or gone
// again. ok is false when the folder never stood still, so that a file may
// have been overlooked.
func (s *scan) seek() (ok bool, err error) {
	f := s.f
	for looks := 0; len(f.fresh) > 0; looks++ {
		now, err := f.now()
		if err != nil {
			return false, err
		}
		if !s.brief && !f.dirty && now == s.at {
			f.fresh = nil // nothing came since we read the folder
			break
		}
		if looks == maxLooks {
			f.dirty = true
			return false, nil
		}
		if s.brief {
			s.brief = false
			s.start()
		}
		if err := s.again(now); err != nil {
			return false, err
		}
		if f.cut { // what was found just now may be in one of those lines
			if err := s.loadList(); err != nil {
				return false, err
			}
		}
	}
	f.cut = false
	return true, nil
}

// again lists the folder once more and notes whether it stood still.
func (s *scan) again(now times) error {
	f := s.f
	s.look++
	if err := s.list(); err != nil {
		return err
	}
	after, err := f.now()
	f.times, s.at = now, now
	f.dirty = after != now || !f.settled(now.new) || !f.settled(now.cur)
	return err
}

// indexGap is how many UIDs are passed over when only Dovecot's index is left:
// it is older than its log (up to a megabyte), and has none of the UIDs that we
// gave. A UID that went to another message would be worse than a gap.
const indexGap = 1 << 20

// createList makes the uidlist of a folder that has none that can be read.
// UIDVALIDITY is kept while any copy can be found: in memory, or in Dovecot's
// index.
func (f *folder) createList() error {
	uidvalidity, next := f.list.UIDValidity(), f.list.Next()
	if uidvalidity != 0 {
		return f.list.Create(uidvalidity, next, f.known())
	}
	if v, n, ok := dovecot.IndexUIDs(f.dir); ok && n < dovecot.MaxUID-indexGap {
		return f.list.Create(v, n+indexGap, nil)
	}
	uidvalidity, err := f.newUIDValidity()
	if err != nil {
		return err
	}
	if err := f.list.Create(uidvalidity, 1, nil); err != nil {
		return err
	}
	f.rest.layout = f.list.Rewrites() // no line stands anywhere else now
	return nil
}

// known returns the uidlist's records as the picture has them.
func (f *folder) known() (recs []dovecot.Record) {
	f.Sort()
	for i := range f.Records {
		if r := &f.Records[i]; r.UID != 0 {
			recs = append(recs, dovecot.Record{UID: r.UID, Name: f.Base(r)})
		}
	}
	return recs
}

// boxRoot opens the Maildir's root, where the box's own control files stand.
// The caller closes it.
func (f *folder) boxRoot() (dovecot.Dir, error) {
	up := ".."
	if f.inbox {
		up = "."
	}
	root := f.dir
	root.Path += "/" + up
	err := retry(func() (err error) {
		root.FD, err = unix.Openat(f.dir.FD, up, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	return root, err
}
