package mailbox

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/id"
	"posthorn/internal/maildir"
	"posthorn/internal/picture"
)

// cleanEvery says how seldom a filing also looks for what crashes left in tmp/.
const cleanEvery = 64

// draft is a message file in tmp/ on its way into a folder. A crash leaves it
// there, for whoever cleans tmp/ after 36 hours.
type draft struct {
	tmp   string // its name in tmp/
	base  string // its base name in the folder
	flags picture.Bits
	words []string // keywords without letters
	size  int64    // -1: not known
	vsize int64
	date  time.Time
	uidl  string // that it had elsewhere
	fresh bool   // goes to new/: it has no flags
	filed bool
}

// file returns the draft's name in the folder.
func (d *draft) file() string {
	if d.fresh {
		return d.base
	}
	return d.base + ":2," + d.flags.Letters()
}

// Append files a message and returns its UIDVALIDITY and UID. When it returns
// nil the message is durable; after an error it is not there. Errors:
// ErrNoFolder, ErrBadName, ErrShort, ErrKeywords, ErrBadKeyword, ErrOverQuota.
func (b *Box) Append(name string, m Incoming) (uidvalidity, uid uint32, err error) {
	uidvalidity, uids, err := b.AppendAll(name, slices.Values([]Incoming{m}))
	if err != nil {
		return 0, 0, err
	}
	return uidvalidity, uids[0], nil
}

// AppendAll files messages, at least one, all or none, and returns their UIDs in
// order; else it is Append. Each is read before the next is asked for.
func (b *Box) AppendAll(name string, all iter.Seq[Incoming]) (uidvalidity uint32, uids []uint32, err error) {
	return b.appendAll(name, all, b.roomFor)
}

// AppendFor is AppendAll to a box of the same Store, of one message that takes the
// place of message seq, which is removed here next: within a box it needs room only
// for what is larger. Errors: ErrExpunged.
func (v *View) AppendFor(seq int, b *Box, name string, all iter.Seq[Incoming]) (uidvalidity uint32, uids []uint32, err error) {
	if b != v.box {
		return b.AppendAll(name, all)
	}
	old, err := v.Measure(seq)
	if err != nil {
		return 0, nil, err
	}
	return b.appendAll(name, all, func(drafts []*draft) error {
		if more := drafts[0].vsize - old.Size; more > 0 {
			return b.Room(more, 0)
		}
		return nil
	})
}

func (b *Box) appendAll(name string, all iter.Seq[Incoming], room func([]*draft) error) (uidvalidity uint32, uids []uint32, err error) {
	f, disk, err := b.enter(name)
	if err != nil {
		return 0, nil, err
	}
	defer b.store.leave(f)
	tmp, err := f.openTmp(b.root, disk)
	if err != nil {
		return 0, nil, err
	}
	defer unix.Close(tmp)
	if b.store.filings.Add(1)%cleanEvery == 1 {
		// What cannot be removed now is met again.
		_ = maildir.Clean(b.root.Disk, tmp, time.Now())
	}
	var drafts []*draft
	for m := range all {
		d, err := f.draft(tmp, m)
		if err != nil {
			discard(b.root.Disk, tmp, drafts)
			return 0, nil, err
		}
		drafts = append(drafts, d)
	}
	if err := room(drafts); err != nil {
		discard(b.root.Disk, tmp, drafts)
		return 0, nil, err
	}
	uidvalidity, uids, err = b.file(f, tmp, drafts)
	if err != nil {
		return 0, nil, fmt.Errorf("filing message: %w", err)
	}
	return uidvalidity, uids, nil
}

// draft makes a draft of a message in tmp/.
func (f *folder) draft(tmp int, m Incoming) (*draft, error) {
	flags, words, err := f.letters(m.Flags)
	if err != nil {
		return nil, err
	}
	d, err := f.store.write(tmp, m)
	if err != nil {
		return nil, fmt.Errorf("filing message: %w", err)
	}
	d.flags, d.words, d.fresh = flags, words, flags == 0
	return d, nil
}

// letters returns flags as the folder's letters, which it gives out where they
// are missing, and the keywords for which none is left.
func (f *folder) letters(flags Flags) (picture.Bits, []string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.needKeywords(flags.Keywords); err != nil {
		return 0, nil, err
	}
	b, _ := bitsOf(flags, f.keywords)
	return b, f.changeWords(nil, Add, f.unlettered(flags.Keywords)), nil
}

// write makes a synced file in tmp/ of the message, with LF line ends as all
// of the Maildir has them.
func (s *Store) write(tmp int, m Incoming) (_ *draft, err error) {
	d := &draft{tmp: s.uniqueName(-1, -1), date: m.Date, uidl: m.UIDL}
	if d.date.IsZero() {
		d.date = time.Now()
	}
	file, err := s.opt.Disk.CreateAt(tmp, d.tmp, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		file.Close()
		if err != nil {
			s.opt.Disk.RemoveAt(tmp, d.tmp) // else it is cleaned from tmp/ later
		}
	}()
	if err := d.copy(s.opt.Disk.Writer(file), m); err != nil {
		return nil, err
	}
	// The internal date is the file's time, as for Dovecot.
	ts, err := unix.TimeToTimespec(d.date)
	if err == nil {
		err = unix.UtimesNanoAt(tmp, d.tmp, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return nil, fmt.Errorf("setting internal date: %w", err)
	}
	d.base = s.name(cmp.Or(m.ID, id.New()), d.size, d.vsize)
	return d, s.opt.Disk.Sync(file)
}

// copy writes the message to file with LF for CRLF, and counts.
func (d *draft) copy(file io.Writer, m Incoming) error {
	buf := make([]byte, 64<<10)
	kept := 0 // a CR in front of what is read next
	var c counter
	left := m.Size
	if left < 0 {
		left = math.MaxInt64
	}
	for left > 0 {
		n, err := io.ReadFull(m.Reader, buf[kept:kept+int(min(left, int64(len(buf)-kept)))])
		ended := err == io.EOF || err == io.ErrUnexpectedEOF
		switch {
		case ended && m.Size >= 0:
			return ErrShort
		case err != nil && !ended:
			return err
		}
		if left -= int64(n); ended {
			left = 0
		}
		out, rest := toLF(buf[:kept+n], left == 0)
		c.count(out)
		d.size += int64(len(out))
		if _, err := file.Write(out); err != nil {
			return err
		}
		kept = copy(buf, rest)
	}
	d.vsize = d.size + c.bare
	return nil
}

// toLF turns CRLF into LF within p. A CR at its end comes back as rest unless
// this is the last block, for its LF may follow.
func toLF(p []byte, last bool) (out, rest []byte) {
	if !last && len(p) > 0 && p[len(p)-1] == '\r' {
		p, rest = p[:len(p)-1], []byte{'\r'}
	}
	out = p[:0]
	for {
		i := bytes.Index(p, []byte("\r\n"))
		if i < 0 {
			return append(out, p...), rest
		}
		out = append(out, p[:i]...)
		p = p[i+1:]
	}
}

// file gives drafts their names and UIDs in the folder, all or none, and makes
// the names durable.
func (b *Box) file(f *folder, tmp int, drafts []*draft) (uidvalidity uint32, uids []uint32, err error) {
	f.mu.Lock()
	if err = f.fileWords(drafts); err == nil {
		uidvalidity, uids, err = f.accept(tmp, drafts)
	}
	f.mu.Unlock()
	cur, fresh := false, false
	for _, d := range drafts {
		cur, fresh = cur || !d.fresh, fresh || d.fresh
	}
	if err == nil {
		err = f.syncNames(cur, fresh)
	}
	if err != nil {
		f.withdraw(tmp, drafts, uids)
		return 0, nil, err
	}
	f.audience.tell(nil)
	bytes := int64(0)
	for _, d := range drafts {
		bytes += max(d.size, 0)
	}
	// A line that could not be written costs a recount, no message.
	_ = maildir.AddSize(b.root.Disk, b.root.FD, bytes, len(drafts))
	return uidvalidity, uids, nil
}

// accept moves drafts into the folder and writes their lines; f is locked.
func (f *folder) accept(tmp int, drafts []*draft) (uidvalidity uint32, uids []uint32, err error) {
	if err := f.rouse(); err != nil {
		return 0, nil, err
	}
	defer f.save()
	l, err := f.lock()
	if err != nil {
		return 0, nil, err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	if err := f.loadTail(); err != nil {
		return 0, nil, err
	}
	if err := f.list.Reserve(uint32(len(drafts))); err != nil {
		return 0, nil, err
	}
	if err := f.account(func() error { return f.moveIn(tmp, drafts) }); err != nil {
		return 0, nil, err
	}
	recs := f.lines(drafts)
	if err := f.list.Append(recs); err != nil {
		return 0, nil, err
	}
	f.unshown.add(recs[0].UID, recs[len(recs)-1].UID)
	for i, d := range drafts {
		uids = append(uids, recs[i].UID)
		switch {
		case !f.loaded:
		case f.dirty || len(f.fresh) > 0:
			// Another process has filed messages with lower UIDs that we have
			// not seen. No session may hear of a higher one before: the next
			// scan takes in all of them.
			f.remember(recs[i])
			f.dirty = true
		default:
			f.enter(d, recs[i])
		}
	}
	return f.list.UIDValidity(), uids, nil
}

// moveIn gives drafts their names in the folder.
func (f *folder) moveIn(tmp int, drafts []*draft) error {
	for _, d := range drafts {
		to := f.cur
		if d.fresh {
			to = f.new
		}
		if err := f.rename(tmp, d.tmp, to, d.file()); err != nil {
			return err
		}
		d.filed = true
	}
	return nil
}

// enter puts a filed draft into the picture.
func (f *folder) enter(d *draft, line dovecot.Record) {
	st, info := picture.Unclaimed, ":2,"+d.flags.Letters()
	if d.fresh {
		st, info = picture.Unclaimed|picture.InNew, ""
		f.news++
	}
	r, ok := f.Add([]byte(d.base), []byte(info), st)
	if !ok {
		f.dirty = true
		return
	}
	r.UID, r.Line, r.Mod = line.UID, smallLine(line.At), f.Next()
	f.SetSizes(r, picture.Small(d.size), picture.Small(d.vsize))
	f.SetDate(r, d.date)
	f.shape++
}

// withdraw removes drafts that could not all be filed, or not durably.
func (f *folder) withdraw(tmp int, drafts []*draft, uids []uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range drafts {
		// What cannot be removed now was never acknowledged.
		switch {
		case !d.filed:
			_ = f.dir.Disk.RemoveAt(tmp, d.tmp)
		case d.fresh:
			_ = f.remove(f.new, d.file())
		default:
			_ = f.remove(f.cur, d.file())
		}
	}
	f.dirty = true
	if !f.loaded {
		return
	}
	gone := removal{uids: make(map[uint32]bool)}
	for _, uid := range uids {
		gone.uids[uid] = true
	}
	f.forget(&gone)
	f.save()
}

// loadTail takes in what others wrote to the uidlist, for a caller that holds
// the dotlock and will give UIDs; a list that is missing is made.
func (f *folder) loadTail() error {
	replaced := false
	err := f.list.Load(func() { replaced = true }, func(r dovecot.Record) {
		if f.loaded && !replaced {
			f.remember(r)
		}
	})
	if replaced {
		f.dirty = true
		f.list.Rewind() // the scan to come takes all of it in
	}
	if errors.Is(err, dovecot.ErrNoList) {
		return f.createList()
	}
	return err
}
