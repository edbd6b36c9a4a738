package mailbox

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"posthorn/internal/maildir"
	"posthorn/internal/picture"
)

// maxLooks bounds how often a folder is read until nobody changes it meanwhile.
const maxLooks = 5

// scan is one comparison of the picture with the files.
type scan struct {
	f     *folder
	table *picture.Table
	seen  []uint8 // by record: the last look that saw its file
	look  uint8
	brief bool  // only new/ is read: nothing happened in cur/
	old   int   // how many messages were known
	at    times // of the folder before the last look
	twice []twin
	had   map[int]twin // the names of before, by record, of files that have others now
	shape bool         // messages came or went
}

// refreshFor is refresh for a session, or for a STATUS with nil, and tells the
// others what it found.
func (f *folder) refreshFor(v *View) error {
	shape, mod := f.shape, f.Mod
	err := f.refresh(v != nil && !v.readOnly)
	if f.shape != shape || f.Mod != mod {
		f.audience.tell(v)
	}
	return err
}

// refresh brings the picture up to the files. move says that what is in new/
// goes to cur/, as a session that takes \Recent wants it.
func (f *folder) refresh(move bool) error {
	defer f.save()
	for attempt := 0; ; attempt++ {
		if err := f.catchUp(); err != nil {
			return err
		}
		if !move || f.resting {
			return nil
		}
		if f.lies {
			f.correct()
		}
		if ok, err := f.moveNew(); err != nil || ok || attempt == 1 {
			return err
		}
	}
}

// catchUp reads what may have changed since the last time. Errors: ErrReset,
// ErrNoFolder.
func (f *folder) catchUp() error {
	if f.over != nil {
		return f.over
	}
	if f.alarm.Swap(false) {
		f.dirty = true
	}
	f.tryAgain()
	now, err := f.now()
	if gone(err) {
		f.end(ErrNoFolder)
		return f.over
	}
	if err != nil {
		return fmt.Errorf("reading folder %s: %w", f.dir.Path, err)
	}
	if !f.loaded && !f.resting {
		f.lookUp()
	}
	known, listed := f.loaded || f.resting, false
	if !known || f.store.opt.Shared {
		if listed, err = f.list.Changed(); err != nil {
			return err
		}
	}
	if f.store.opt.Shared && !listed { // a keyword without a letter leaves no trace in a name
		if listed, err = f.state.Changed(); err != nil {
			return err
		}
	}
	if known && !f.dirty && !listed && now == f.times {
		return nil
	}
	if err := f.wake(); err != nil {
		return err
	}
	return f.look(now, listed)
}

// look compares the picture with the files.
func (f *folder) look(now times, listed bool) error {
	known := f.Mod
	if f.rest.stale = f.rest.stale || f.loaded && f.rest.outdated(); f.rest.stale {
		f.reopen()
	}
	made, stale, told := !f.loaded, f.rest.stale, f.told
	if !made {
		f.detach()
	} else {
		f.told = 0 // what sessions were told of is only found now
	}
	f.Mod = max(f.Mod, f.rest.modseq())
	s := &scan{f: f, brief: f.loaded && !f.dirty && !listed && now.cur == f.times.cur}
	s.start()
	err := s.run(now)
	was := f.validity
	f.validity = f.list.UIDValidity()
	if was == 0 || was == f.validity {
		f.told = told
	}
	if was != 0 && was != f.validity && !f.audience.empty() {
		// The same numbers are other messages now: whatever a session still
		// asked for by UID, it would get, change or remove another message.
		f.end(ErrReset)
		return f.over
	}
	if err != nil {
		return fmt.Errorf("reading folder %s: %w", f.dir.Path, err)
	}
	if made || stale {
		f.inherit(known)
	}
	f.Christen()
	if made {
		return f.remind(f.UIDs())
	}
	return nil
}

// start makes the table for a brief or a full scan.
func (s *scan) start() {
	s.old = len(s.f.Records)
	s.seen = make([]uint8, s.old)
	if !s.brief {
		s.table = picture.NewTable(&s.f.Picture, func(*picture.Record) bool { return true })
		return
	}
	s.table = picture.NewTable(&s.f.Picture, func(r *picture.Record) bool { return r.State&picture.InNew != 0 })
	for i := range s.f.Records {
		if s.f.Records[i].State&picture.InNew == 0 {
			s.seen[i] = 1
		}
	}
}

// run does one scan; now is the folder's time before it. After an error the
// picture is an older one, or holds fewer messages, and the folder is dirty.
func (s *scan) run(now times) error {
	f := s.f
	err := s.compare(now)
	f.Keep(func(r *picture.Record) bool { return r.UID != 0 })
	f.Sort()
	f.news = f.countNew()
	f.markRecent()
	if s.shape {
		f.shape++
	}
	if err != nil {
		f.dirty = true
		return err
	}
	f.loaded = true
	f.watchUse()
	return nil
}

// compare takes in the files, the keywords and the uidlist.
func (s *scan) compare(now times) error {
	f := s.f
	if !f.loaded {
		f.list.Rewind()
	}
	if err := s.read(now); err != nil {
		return err
	}
	if err := s.twins(); err != nil {
		return err
	}
	if err := errors.Join(f.loadKeywords(), f.loadWords()); err != nil {
		return err
	}
	s.expunge()
	return s.identify()
}

// read lists the folder until one look is known to have seen all, or often
// enough.
func (s *scan) read(now times) error {
	f := s.f
	f.dirty = false
	for s.look = 1; ; s.look++ {
		f.times, s.at = now, now
		if err := s.list(); err != nil {
			return err
		}
		after, err := f.now()
		if err != nil {
			return err
		}
		switch {
		case s.brief && (s.missing() > 0 || s.unbear()): // moved to cur/ by another, or there already
			s.brief = false
			s.start()
		case after == now && f.settled(now.new) && (s.brief || f.settled(now.cur)):
			return nil // nothing moved while we read
		}
		if f.loaded && s.missing() == 0 || s.look == maxLooks {
			f.dirty = true
			return nil
		}
		now = after
	}
}

// list reads new/ before cur/, so that a message that is moved meanwhile is
// seen in one of them.
func (s *scan) list() error {
	for _, d := range []struct {
		fd    int
		state picture.State
	}{{s.f.new, picture.InNew | picture.Unclaimed}, {s.f.cur, 0}} {
		if s.brief && d.fd == s.f.cur {
			break
		}
		for e, err := range maildir.Entries(d.fd) {
			if err != nil {
				return err
			}
			s.file(e, d.state)
		}
	}
	return nil
}

// file takes in one name.
func (s *scan) file(e maildir.Entry, st picture.State) {
	base, info := cutInfo(e.Name)
	if len(base) == 0 || bytes.IndexByte(e.Name, '\n') >= 0 {
		return // no uidlist can hold it; the file stays as it is
	}
	i := s.table.Find(base)
	if i < 0 {
		if e.Plain || bytes.Contains(base, []byte(",S=")) || s.f.isMessage(base, info, st) {
			s.born(base, info, st)
		}
		return
	}
	if s.seen[i] == s.look {
		s.twice = append(s.twice, twin{i, string(info), st})
		return
	}
	s.seen[i] = s.look
	s.update(i, info, st)
}

// update takes in where a known message's file stands now, and keeps what its name was.
func (s *scan) update(i int, info []byte, st picture.State) {
	r := &s.f.Records[i]
	if stands(r, info, st) {
		return
	}
	if s.had == nil {
		s.had = make(map[int]twin)
	}
	if _, ok := s.had[i]; !ok {
		s.had[i] = twin{i, s.f.Info(r), standing(r)}
	}
	s.f.update(r, info, st)
}

// cutInfo splits a name into base and info.
func cutInfo(name []byte) (base, info []byte) {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[:i], name[i:]
	}
	return name, nil
}

// born enters a file that was not known.
func (s *scan) born(base, info []byte, st picture.State) {
	f := s.f
	r, ok := f.Add(base, info, st)
	if !ok {
		return
	}
	if uid, ok := f.fresh[string(base)]; ok {
		if uid >= f.told {
			r.UID = uid
		}
		delete(f.fresh, string(base))
	}
	s.shape = true
	s.table.Enter(len(f.Records) - 1)
	s.seen = append(s.seen, s.look)
}

// isMessage reports whether a name that no mail program of ours made is that
// of a plain file.
func (f *folder) isMessage(base, info []byte, st picture.State) bool {
	var buf unix.Stat_t
	name := string(base) + string(info)
	err := retry(func() error { return unix.Fstatat(f.where(st), name, &buf, unix.AT_SYMLINK_NOFOLLOW) })
	return err == nil && buf.Mode&unix.S_IFMT == unix.S_IFREG
}

// where returns the descriptor of the folder in which a file of this state
// stands.
func (f *folder) where(st picture.State) int {
	if st&picture.InNew != 0 {
		return f.new
	}
	return f.cur
}

// stands reports whether a file's name says what it said.
func stands(r *picture.Record, info []byte, st picture.State) bool {
	b, plain := picture.PlainInfo(info, st)
	return plain && b == r.Flags && r.State&picture.OddInfo == 0 && (r.State^st)&picture.InNew == 0
}

// update takes in where a known message's file stands now, and its flags.
func (f *folder) update(r *picture.Record, info []byte, st picture.State) {
	was := r.Flags
	f.ForgetInfo(r)
	if r.State&picture.InNew != 0 && st&picture.InNew == 0 {
		r.State &^= picture.Unclaimed // another process took its \Recent
	}
	r.State = r.State&^picture.InNew | st&picture.InNew
	f.SetInfo(r, info)
	if r.Flags != was {
		f.Touch(r)
	}
}

// missing counts the messages that no look has seen.
func (s *scan) missing() (n int) {
	for _, look := range s.seen {
		if look == 0 {
			n++
		}
	}
	return n
}

// expunge drops the messages whose files are gone. After a folder that never
// stood still they stay for now: the next scan decides.
func (s *scan) expunge() {
	if s.f.dirty {
		return
	}
	if !s.brief {
		s.f.fresh = nil // the files of those lines are not there any more
	}
	if s.missing() == 0 {
		return
	}
	at := -1
	s.f.Keep(func(*picture.Record) bool {
		at++
		return s.seen[at] != 0
	})
	s.shape = true
	s.brief = false
	s.start()
}
