package maildir

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// write writes and syncs one draft a file system, together.
func (b *batch) write() {
	byDev := make(map[uint64][]*target)
	var order []uint64
	for _, t := range b.targets {
		if !t.open() {
			continue
		}
		if byDev[t.id.dev] == nil {
			order = append(order, t.id.dev)
		}
		byDev[t.id.dev] = append(byDev[t.id.dev], t)
	}
	var drafts []*draft
	for _, dev := range order {
		if d := b.lead(byDev[dev]); d != nil {
			drafts = append(drafts, d)
		}
	}
	b.syncDrafts(drafts)
}

// lead writes a draft at the first target whose tmp/ takes one, for all of
// them. Targets before it have failed by themselves.
func (b *batch) lead(targets []*target) *draft {
	for i, t := range targets {
		d, err := b.create(t)
		if err != nil {
			t.err = err
			continue
		}
		d.links = targets[i+1:]
		b.fill(d)
		return d
	}
	return nil
}

// create makes an empty draft in tmp/ of t.
func (b *batch) create(t *target) (*draft, error) {
	tmp, err := sub(t.base, "tmp")
	if err == unix.ENOENT { // copies of Maildirs often lack empty folders
		if err = Make(b.disk, t.place); err == nil {
			tmp, err = sub(t.base, "tmp")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s/tmp: %w", t.place.Path, err)
	}
	d := &draft{target: t, tmp: tmp, name: b.tmpName()}
	d.file, err = b.disk.CreateAt(tmp, d.name, 0o600)
	if err != nil {
		unix.Close(tmp)
		return nil, fmt.Errorf("deliver to %s: %w", t.place.Path, err)
	}
	b.drafts = append(b.drafts, d)
	return d, nil
}

func (b *batch) fill(d *draft) {
	m := b.message
	w, err := copyMessage(b.disk.Writer(d.file), m)
	if err != nil {
		d.err = fmt.Errorf("deliver to %s: %w", d.target.place.Path, err)
	}
	d.size = w.size
	d.final = Name{Unique: unique(m.Time.Unix(), m.ID, b.node), Size: w.size, Virtual: w.virtual()}.String()
}

// syncDrafts syncs the files together and hands on what failed: a draft that
// is not durable fails for all who would have linked it.
func (b *batch) syncDrafts(drafts []*draft) {
	together(drafts, func(d *draft) {
		if d.err == nil {
			d.err = b.disk.Sync(d.file)
		}
	})
	for _, d := range drafts {
		if d.err == nil {
			continue
		}
		d.target.err = d.err
		for _, t := range d.links {
			t.err = d.err
		}
		b.discard(d)
	}
}

// discard removes a draft's name in tmp/. What cannot be removed is left to
// Clean.
func (b *batch) discard(d *draft) {
	if d.name != "" && b.disk.RemoveAt(d.tmp, d.name) == nil {
		d.name = ""
	}
}

func (d *draft) close() {
	d.file.Close()
	unix.Close(d.tmp)
}

// name gives the drafts their names in new/: links first, then the draft
// itself moves, so that it can be linked until the end.
func (b *batch) name() {
	var own []*draft
	for _, d := range b.drafts {
		if d.err != nil {
			continue
		}
		for _, t := range d.links {
			if !b.link(d, t) {
				own = b.ownDraft(own, t)
			}
		}
	}
	leaders := b.drafts[:len(b.drafts)-len(own)]
	b.syncDrafts(own)
	for _, d := range leaders {
		b.move(d)
	}
	for _, d := range own {
		b.move(d)
	}
}

// ownDraft writes a file of its own for t, which took no link.
func (b *batch) ownDraft(own []*draft, t *target) []*draft {
	d, err := b.create(t)
	if err != nil {
		t.err = err
		return own
	}
	b.fill(d)
	return append(own, d)
}

// link gives the draft a name in t's new/ and reports false where only a file
// of t's own will do: another file system, too many links, no links at all.
func (b *batch) link(d *draft, t *target) bool {
	err := b.disk.LinkAt(d.tmp, d.name, t.new, d.final)
	for _, unfit := range []error{unix.EXDEV, unix.EMLINK, unix.EPERM, unix.ENOSYS, unix.EOPNOTSUPP} {
		if errors.Is(err, unfit) {
			return false
		}
	}
	d.settle(t, err)
	return true
}

// move moves the draft from tmp/ into its target's new/, over nothing.
func (b *batch) move(d *draft) {
	if d.err != nil {
		return
	}
	t := d.target
	err := b.disk.RenameNewAt(d.tmp, d.name, t.new, d.final)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // no RENAME_NOREPLACE here
		if err = b.disk.LinkAt(d.tmp, d.name, t.new, d.final); err == nil {
			b.discard(d)
		}
	}
	if err != nil {
		b.discard(d)
	}
	d.settle(t, err)
}

// settle notes what came of a link or move.
func (d *draft) settle(t *target, err error) {
	if errors.Is(err, unix.EEXIST) {
		err = sameSize(t.new, d.final, d.size)
		t.earlier = true
	}
	if err != nil {
		t.err = fmt.Errorf("deliver to %s: %w", t.place.Path, err)
		return
	}
	t.done, t.file = true, d.final
}

// sameSize checks what stands under a name that holds our id and size: when
// two tries of one message overlap, it is the other's copy, synced as ours was
// before it got its name.
func sameSize(dirfd int, name string, size int64) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != size {
		return fmt.Errorf("%s is there with another content: %w", name, unix.EEXIST)
	}
	return nil
}
