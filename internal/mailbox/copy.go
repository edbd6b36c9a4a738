package mailbox

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/durable"
	"posthorn/internal/picture"
)

// Copy files copies of messages in the folder dest, all or none, and returns
// dest's UIDVALIDITY with the UIDs here and there in the same order. Messages
// that are gone are left out (all gone: ErrExpunged). When it returns nil the
// copies are durable. Errors: ErrNoFolder, ErrBadName, ErrKeywords, ErrExpunged,
// ErrOverQuota.
func (v *View) Copy(seqs []int, dest string) (uidvalidity uint32, src, dst []uint32, err error) {
	return v.CopyTo(v.box, dest, everything(), seqs)
}

func everything() Settable { return Settable{System: ^SystemFlag(0), Keywords: true} }

// FetchedKeyword marks messages that POP3 removes some days later.
const FetchedKeyword = "$POP3Fetched"

// Settable are the flags that somebody may set.
type Settable struct {
	System   SystemFlag
	Keywords bool
	Except   string // one keyword that he may not set, or ""
}

// Without returns those of names that are settable, in their place.
func (s Settable) Without(names []string) []string {
	if !s.Keywords {
		return nil
	}
	return slices.DeleteFunc(names, s.excepts)
}

func (s Settable) excepts(keyword string) bool { return strings.EqualFold(keyword, s.Except) }

// CopyTo is Copy to a folder of any box of the same Store. The copies get only
// flags that are settable.
func (v *View) CopyTo(b *Box, dest string, may Settable, seqs []int) (uidvalidity uint32, src, dst []uint32, err error) {
	return v.copy(b, dest, may, seqs, b.roomFor)
}

// CopyToMove is CopyTo for messages that are removed here next: within a box they
// need no room.
func (v *View) CopyToMove(b *Box, dest string, may Settable, seqs []int) (uidvalidity uint32, src, dst []uint32, err error) {
	if b != v.box {
		return v.CopyTo(b, dest, may, seqs)
	}
	return v.copy(b, dest, may, seqs, func([]*draft) error { return nil })
}

func (v *View) copy(b *Box, dest string, may Settable, seqs []int, room func([]*draft) error) (uidvalidity uint32, src, dst []uint32, err error) {
	to, disk, err := b.enter(dest)
	if err != nil {
		return 0, nil, nil, err
	}
	defer b.store.leave(to)
	v.folder.mu.Lock()
	uids := v.uidsOf(seqs)
	v.folder.mu.Unlock()
	terms, err := to.adopt(v.folder, uids)
	if err != nil {
		return 0, nil, nil, err
	}
	tmp, err := to.openTmp(b.root, disk)
	if err != nil {
		return 0, nil, nil, err
	}
	defer unix.Close(tmp)
	c := &copying{from: v.folder, tmp: tmp, terms: terms, may: may}
	if err := c.all(uids); err != nil {
		discard(b.root.Disk, tmp, c.drafts)
		return 0, nil, nil, fmt.Errorf("copying messages: %w", err)
	}
	if len(c.drafts) == 0 {
		return 0, nil, nil, ErrExpunged
	}
	if err := room(c.drafts); err != nil {
		discard(b.root.Disk, tmp, c.drafts)
		return 0, nil, nil, err
	}
	uidvalidity, dst, err = b.file(to, tmp, c.drafts)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("copying messages: %w", err)
	}
	return uidvalidity, c.uids, dst, nil
}

// terms say what the keywords of one folder are in another.
type terms struct {
	letters map[picture.Bits]picture.Bits // by from's letter
	words   map[picture.Bits]string       // those of from's letters that have none
	table   dovecot.Keywords
}

// adopt gives the folder letters for the keywords of messages in from, as long
// as there are any, and returns what from's keywords are here.
func (f *folder) adopt(from *folder, uids []uint32) (*terms, error) {
	from.mu.Lock()
	if err := from.need(); err != nil {
		from.mu.Unlock()
		return nil, err
	}
	names, table := from.spoken(uids), from.keywords
	from.mu.Unlock()
	return f.learn(names, table)
}

// spoken returns the keywords of messages.
func (f *folder) spoken(uids []uint32) []string {
	used, words := picture.Bits(0), map[string]bool{}
	for _, uid := range uids {
		if r := f.Find(uid); r != nil {
			used |= r.Flags & picture.KeywordBits
			for _, name := range f.wordsOf(r) {
				words[name] = true
			}
		}
	}
	return append(keywordNames(used, f.keywords), slices.Sorted(maps.Keys(words))...)
}

// learn gives the folder letters for names, as long as there are any, and returns
// what the keywords of another folder's table are here.
func (f *folder) learn(names []string, table *dovecot.Keywords) (*terms, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := errors.Join(f.loadKeywords(), f.loadWords()); err != nil {
		return nil, err
	}
	if err := f.needKeywords(names); err != nil {
		return nil, err
	}
	t := &terms{letters: make(map[picture.Bits]picture.Bits), words: make(map[picture.Bits]string), table: *f.keywords}
	for i := range table {
		name := table.Name(i)
		if to := f.keywords.Index(name); name != "" && to >= 0 {
			t.letters[1<<(picture.KeywordShift+i)] = 1 << (picture.KeywordShift + to)
		} else if name != "" {
			t.words[1<<(picture.KeywordShift+i)] = name
		}
	}
	return t, nil
}

// copying makes drafts of messages in the tmp/ of another folder.
type copying struct {
	from   *folder
	tmp    int
	terms  *terms
	may    Settable
	drafts []*draft
	uids   []uint32 // of the originals, by draft
}

// all makes drafts of those messages that are there. A file that is not found
// under its name is looked for once more.
func (c *copying) all(uids []uint32) error {
	f := c.from
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.need(); err != nil {
		return err
	}
	looked := false
	for _, uid := range uids {
		err := c.one(uid)
		if gone(err) && !looked {
			looked, f.dirty = true, true
			if err := f.refresh(false); err != nil {
				return err
			}
			err = c.one(uid)
		}
		if gone(err) || err == ErrExpunged {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// one makes a draft of one message.
func (c *copying) one(uid uint32) error {
	f := c.from
	r := f.Find(uid)
	if r == nil {
		return ErrExpunged
	}
	size, vsize := hint(r.Size), hint(r.VSize)
	name := f.store.uniqueName(size, vsize) + idField + emailID(f.Base(r))
	d := &draft{tmp: name, base: name, size: size, vsize: vsize}
	d.flags, d.words = c.terms.translate(c.may.of(r.Flags, f.keywords), c.may.Without(slices.Clone(f.wordsOf(r))))
	if r.Date != 0 {
		d.date = time.Unix(int64(r.Date), 0)
	}
	d.fresh = d.flags == 0
	err := f.dir.Disk.LinkAt(f.where(r.State), f.File(r), c.tmp, d.tmp)
	for _, unfit := range []error{unix.EXDEV, unix.EMLINK, unix.EPERM, unix.ENOSYS, unix.EOPNOTSUPP} {
		if errors.Is(err, unfit) {
			err = c.content(r, d)
			break
		}
	}
	if err != nil {
		return err
	}
	c.drafts, c.uids = append(c.drafts, d), append(c.uids, uid)
	return nil
}

// of returns those of a message's flags that are settable; \Passed is no client's
// to set.
func (s Settable) of(b picture.Bits, table *dovecot.Keywords) picture.Bits {
	out := b & (systemOf(s.System) | picture.BitPassed)
	if s.Keywords {
		out |= b & picture.KeywordBits
	}
	if i := table.Index(s.Except); i >= 0 {
		out &^= 1 << (picture.KeywordShift + i)
	}
	return out
}

// hint returns a size of a record as names have it, -1 where it is not known.
func hint(n uint32) int64 {
	if n == picture.Unknown {
		return -1
	}
	return int64(n)
}

// translate returns flags and words of a message as the other folder has them.
func (t *terms) translate(b picture.Bits, words []string) (out picture.Bits, rest []string) {
	out = b &^ picture.KeywordBits
	for from, to := range t.letters {
		if b&from != 0 {
			out |= to
		}
	}
	for from, name := range t.words {
		if b&from != 0 {
			rest = append(rest, name)
		}
	}
	for _, name := range words {
		if i := t.table.Index(name); i >= 0 {
			out |= 1 << (picture.KeywordShift + i)
		} else if !slices.Contains(rest, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	return out, rest
}

// content copies a file where no link can be made.
func (c *copying) content(r *picture.Record, d *draft) (err error) {
	f := c.from
	src, err := openMessage(f.where(r.State), f.File(r))
	if err != nil {
		return err
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return err
	}
	disk := f.dir.Disk
	dst, err := disk.CreateAt(c.tmp, d.tmp, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		dst.Close()
		if err != nil {
			disk.RemoveAt(c.tmp, d.tmp) // else it is cleaned from tmp/ later
		}
	}()
	if _, err := io.Copy(disk.Writer(dst), src); err != nil {
		return err
	}
	ts, err := unix.TimeToTimespec(st.ModTime())
	if err != nil {
		return err
	}
	if err := unix.UtimesNanoAt(c.tmp, d.tmp, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "utimes", Path: d.tmp, Err: err}
	}
	return disk.Sync(dst)
}

// discard removes the drafts that are not to be filed.
func discard(disk *durable.Disk, tmp int, drafts []*draft) {
	for _, d := range slices.Backward(drafts) {
		_ = disk.RemoveAt(tmp, d.tmp) // else it is cleaned from tmp/ later
	}
}
