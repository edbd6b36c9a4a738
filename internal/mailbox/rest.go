package mailbox

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/index"
	"posthorn/internal/picture"
)

// rest is how a folder's picture lies on the disk, in package index. While the
// header there stands for the files, the folder rests on it: its picture is not
// in memory until something is asked that the header does not say.
type rest struct {
	file   *index.File // nil: there is none, or none that can be used
	off    bool        // the index cannot be had: the folder does without
	again  time.Time   // when that is tried anew
	stale  bool        // another process has written since
	whole  bool        // all of it has to be written anew
	slots  int         // records in the file
	last   uint32      // the highest UID of a slot
	layout int         // the uidlist's Rewrites when the lines were noted
	shape  uint64      // the folder's, when tombs were last compared with it
}

// lookUp opens the folder's index, and rests on it if it can stand for the
// folder's files, and no session knows of them yet; what happened since is left to a
// scan.
func (f *folder) lookUp() {
	if f.entered() {
		return // the header tells nothing of what sessions know
	}
	if f.rest.file == nil && !f.rest.off {
		f.doWithout(f.indexDir().Locked(f.openIndex))
	}
	if f.rest.file == nil {
		return
	}
	h := f.rest.file.Header()
	if h.Boot != f.store.boot || h.Boot == 0 || h.Flags&index.Settled == 0 || !f.trusts(h) {
		return
	}
	if errors.Join(f.loadKeywords(), f.loadWords()) != nil || f.words.sum != h.Words {
		return
	}
	ok, err := f.list.Return(placeOf(h))
	if !ok || err != nil || f.list.UIDValidity() != h.UIDValidity || f.validity != 0 && f.validity != h.UIDValidity {
		return
	}
	f.resting, f.validity = true, h.UIDValidity
	f.times = times{new: unix.NsecToTimespec(h.New), cur: unix.NsecToTimespec(h.Cur)}
	f.uidls = h.Flags&index.SavedUIDL != 0
	f.Mod = h.ModSeq
	if h.Flags&index.HasNew != 0 || f.unshown.hi != 0 {
		_ = f.wake() // no view rests on it yet
	}
}

// openIndex opens the index; one that cannot be used, or is another folder's, is none.
func (f *folder) openIndex() (err error) {
	f.rest.file, err = index.Open(f.indexDir())
	if errors.Is(err, index.ErrNone) {
		return nil
	}
	if err == nil && f.rest.file.Header().Folder != f.owner() {
		f.rest.close()
	}
	return err
}

// placeOf returns where the uidlist's follower stood.
func placeOf(h index.Header) dovecot.Place {
	return dovecot.Place{
		Inode: h.List.Inode, Size: h.List.Size, Time: h.List.Time,
		Lines: int(h.Lines), Last: h.LastLine, Next: h.UIDNext,
	}
}

// wake brings the picture into memory that the folder rests on. One that cannot
// be read as it was is left to a scan. Errors: ErrReset.
func (f *folder) wake() error {
	if !f.resting {
		return nil
	}
	f.resting = false
	h := f.rest.file.Header()
	var recs []index.Record
	whole, current := false, false
	err := f.indexDir().Locked(func() error {
		recs, whole, current = f.rest.file.Load()
		return nil
	})
	f.Picture = picture.Picture{Mod: max(f.Mod, h.ModSeq), Forgotten: h.Forgotten}
	names, nerr := f.list.Names()
	if err != nil || nerr != nil || !whole || !f.take(recs, names) {
		f.Picture = picture.Picture{Mod: f.Mod}
		return nil
	}
	f.loaded, f.dirty = true, !current
	f.rest.stale, f.rest.whole = !current, false
	if !current {
		f.reopen() // for the texts; what changed is left to a scan
	}
	f.rest.slots, f.rest.layout, f.rest.last = len(recs), f.list.Rewrites(), 0
	if len(recs) > 0 {
		f.rest.last = recs[len(recs)-1].UID
	}
	f.news = f.countNew()
	f.markRecent()
	f.watchUse()
	if current {
		f.slept = nil // the views know the messages that are here
		return nil
	}
	f.shape++
	return f.remind(asOf(recs, h))
}

// take makes the picture of records and the uidlist; false when they do not fit.
func (f *folder) take(recs []index.Record, names []byte) bool {
	p := &f.Picture
	p.Names, p.Records = names, make([]picture.Record, 0, len(recs))
	for i := range recs {
		x := &recs[i]
		p.Mod = max(p.Mod, x.ModSeq)
		if x.State&index.Gone != 0 {
			p.Tombs = append(p.Tombs, picture.Tomb{UID: x.UID, Mod: x.ModSeq})
			continue
		}
		end := uint64(x.Name) + uint64(x.NameLen)
		if x.Name == 0 || x.NameLen == 0 || x.NameLen > 255 || end >= uint64(len(names)) ||
			names[end] != '\n' || picture.State(x.State)&picture.OddInfo != 0 || x.ModSeq == 0 {
			return false
		}
		r := picture.Record{
			Mod: x.ModSeq, UID: x.UID, Flags: picture.Bits(x.Flags), Size: x.Size, VSize: x.Virtual, Name: x.Name, Line: x.Name,
			Texts: x.Entries, Len: uint8(x.NameLen), State: picture.State(x.State) & picture.KeptState,
		}
		if x.Date > 0 && x.Date < picture.Unknown {
			r.Date = uint32(x.Date)
		}
		if r.State&picture.InNew != 0 {
			r.State |= picture.Unclaimed
			p.Unclaimed = true
		}
		f.lies = f.lies || r.State&picture.Lying != 0
		p.Sums.Add(&r, 1)
		p.Records = append(p.Records, r)
	}
	return true
}

// need makes sure that the picture is in memory.
func (f *folder) need() error {
	if f.over != nil {
		return f.over
	}
	f.used = true
	if !f.loaded && !f.resting {
		if err := f.catchUp(); err != nil {
			return err
		}
	}
	if err := f.wake(); err != nil || f.loaded {
		return err
	}
	now, err := f.now()
	if err != nil {
		return fmt.Errorf("reading folder %s: %w", f.dir.Path, err)
	}
	return f.look(now, true)
}

// rouse brings the picture into memory if the index has it: a message that is
// filed now is entered in both. Without one nothing is read.
func (f *folder) rouse() error {
	if f.over != nil {
		return f.over
	}
	if !f.loaded && !f.resting {
		f.lookUp()
	}
	return f.wake()
}

// inherit gives a picture that was made of the files what the index knew of its
// messages. No session here was told of a modseq above known.
func (f *folder) inherit(known uint64) {
	var recs []index.Record
	whole := false
	if f.rest.file != nil {
		err := f.indexDir().Locked(func() error {
			recs, whole, _ = f.rest.file.Load()
			return nil
		})
		whole = whole && err == nil
		if h := f.rest.file.Header(); h.UIDValidity != f.list.UIDValidity() || h.UIDNext > f.list.Next() {
			recs, whole = nil, false // of other messages
		}
	}
	// Of another boot it is not known what reached the disk: all modseqs are new.
	same := whole && f.rest.file.Header().Boot == f.store.boot && f.store.boot != 0 && f.trusts(f.rest.file.Header())
	if same && !f.rest.stale && f.rest.file.Header().Words != f.words.sum {
		same = false // of whose keywords it is not known
	}
	mods := meeting{lost: !same, known: known, written: f.rest.modseq()}
	if same && f.rest.file.Header().Words != f.words.sum {
		mods.known = math.MaxUint64
	}
	at := 0
	for i := range recs {
		x := &recs[i]
		for at < len(f.Records) && f.Records[at].UID < x.UID {
			at++
		}
		switch {
		case at < len(f.Records) && f.Records[at].UID == x.UID:
			f.Records[at].Inherit(x)
			f.Records[at].Mod = mods.of(&f.Records[at], x)
		case x.State&index.Gone == 0:
			f.Bury([]uint32{x.UID})
		case same:
			f.Tombs = append(f.Tombs, picture.Tomb{UID: x.UID, Mod: x.ModSeq})
		}
	}
	f.Christen()
	if same {
		f.Forgotten = max(f.Forgotten, f.rest.file.Header().Forgotten)
	} else {
		f.Tombs, f.Forgotten = nil, f.Next()
	}
	f.SortTombs()
	f.rest.whole, f.rest.stale = true, false
}

// restAfter is how long a picture stays in memory that nobody asks for, at least: to
// note the time of each use would cost more than most uses.
const restAfter = 2 * time.Second

// watchUse sees to it that the picture goes when nobody needs it any more.
func (f *folder) watchUse() {
	f.used = false
	if f.tired == nil {
		f.tired = time.AfterFunc(restAfter, f.lieDown)
		return
	}
	f.tired.Reset(restAfter)
}

// lieDown drops the picture if the index has all of it and no session has asked
// for it for a while.
func (f *folder) lieDown() {
	if !f.store.hold(f) {
		return
	}
	defer f.store.leave(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.loaded || f.over != nil || f.audience.empty() {
		return // without sessions the folder goes as a whole
	}
	f.remindLate()
	if f.used || !f.mayRest() {
		f.used = false
		f.tired.Reset(restAfter)
		return
	}
	mod := f.Mod
	f.slept = picture.NewPack(f.UIDs())
	f.Picture, f.loaded, f.resting = picture.Picture{Mod: mod}, false, true
	f.tired = nil // its time is over
	f.texts.close()
	f.store.calm.Stir() // what was dropped is to be collected
}

// remindLate has sessions look again at a folder with mail that got no UID, after 2
// seconds and then ever more seldom: to look may cost much.
func (f *folder) remindLate() {
	if f.late == 0 {
		return
	}
	if bits.OnesCount(f.late) == 1 {
		f.audience.tell(nil)
	}
	f.late++
}

// mayRest reports whether the index stands for the files, and each view for the
// index.
func (f *folder) mayRest() bool {
	f.save()
	if f.rest.file == nil || f.rest.off || f.rest.stale || f.rest.whole || f.news > 0 || f.lies || f.unshown.hi != 0 || len(f.Changed) > 0 {
		return false
	}
	if h := f.rest.file.Header(); h.Flags&index.Settled == 0 || !h.Same(f.header()) {
		return false
	}
	for v := range f.audience.all() {
		if v.uids != nil || v.n != len(f.Records) || v.mod != f.Mod || v.shape != f.shape {
			return false
		}
	}
	return true
}

// reopen opens the index that another process has written, if it was not removed.
func (f *folder) reopen() {
	was := f.rest.columns()
	f.rest.close()
	f.doWithout(f.indexDir().Locked(f.openIndex))
	f.keepColumns(was, f.rest.columns())
}

// modseq returns the highest modseq in the index, 0 when there is none.
func (r *rest) modseq() uint64 {
	if r.file == nil {
		return 0
	}
	return r.file.Header().ModSeq
}

// columns returns the numbers of the index's columns.
func (r *rest) columns() (ids [index.Columns]uint64) {
	if r.file != nil {
		ids = r.file.Header().Columns
	}
	return ids
}

// outdated reports whether another process has written the index since.
func (r *rest) outdated() bool { return r.file != nil && !r.file.Current() }

func (r *rest) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}
