package maildir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
	"posthorn/internal/id"
	"posthorn/internal/verdict"
)

// Message is what is delivered.
type Message struct {
	ID     string    // of the message, part of the file's name
	Time   time.Time // of the message, part of the file's name
	Try    int       // 2 or more: an earlier try may have delivered it
	Header []byte    // goes in front, with LF line ends: Return-Path, Delivered-To
	Body   io.ReaderAt
	Size   int64 // bytes of Body, with CRLF line ends

	// Room returns nil if the Maildir whose folder is dirfd may get the message;
	// nil itself: all may. It is not asked where an earlier try has delivered.
	Room func(p Place, dirfd int) error
}

// Result is what became of one Place. After an error nothing was promised and
// the message may come again with the next Try.
type Result struct {
	File string // the name in new/, or as found by a later try
	Err  error
}

// Delivery delivers into Maildirs of one uid. Make it with NewDelivery; it is
// safe for concurrent use.
type Delivery struct {
	disk    *durable.Disk
	node    string
	folders folders
	making  flight
	count   atomic.Uint32
	now     func() time.Time
}

// NewDelivery returns a Delivery that writes node into file names.
func NewDelivery(disk *durable.Disk, node string) *Delivery {
	return &Delivery{disk: disk, node: EscapeNode(node), folders: folders{disk: disk}, now: time.Now}
}

// Each Place holds two or three descriptors while it is worked on.
const placesAtOnce = 256

// Deliver writes one file and gives it a name in new/ of every place; only
// where a file system or a limit forbids the link, a place gets a file of its
// own. A missing Maildir is made. When a Result has no error its message is
// durable. Results stand in the order of places; a place that is named twice
// gets the message once.
//
// ENOSPC is reported as later 4.3.1 and EDQUOT as later 4.2.2; what is not
// classified (verdict.Of) is later too.
func (d *Delivery) Deliver(places []Place, m Message) []Result {
	results := make([]Result, len(places))
	if !id.Valid(m.ID) {
		for i := range results {
			results[i].Err = fmt.Errorf("deliver message %.40q: %w", m.ID, id.ErrForm)
		}
		return results
	}
	for from := 0; from < len(places); from += placesAtOnce {
		to := min(from+placesAtOnce, len(places))
		d.batch(places[from:to], m, results[from:to])
	}
	return results
}

// batch delivers to so many places as may be open at a time.
func (d *Delivery) batch(places []Place, m Message, results []Result) {
	b := &batch{Delivery: d, message: m, byDir: make(map[fileID]*target, len(places)), rootfd: -1}
	defer b.close()
	targets := make([]*target, len(places))
	for i, p := range places {
		targets[i], results[i].Err = b.open(p)
	}
	b.look()
	b.room()
	b.write()
	b.name()
	b.sync()
	b.quota()
	b.clean()
	for i, t := range targets {
		if t != nil {
			results[i] = Result{t.file, classify(t.err)}
		}
	}
}

// classify gives the errors that a full disk makes their status.
func classify(err error) error {
	switch {
	case errors.Is(err, unix.EDQUOT):
		return verdict.Fail(verdict.Later, "4.2.2", "the mailbox is full", err)
	case errors.Is(err, unix.ENOSPC):
		return verdict.Fail(verdict.Later, "4.3.1", "the mail system is full", err)
	}
	return err
}

// batch is one message on its way into some Maildirs.
type batch struct {
	*Delivery
	message Message
	targets []*target
	byDir   map[fileID]*target
	drafts  []*draft

	root   string // the root of the place opened last, which others share as a rule
	rootfd int    // -1: none is open
}

// fileID is what identifies a file on this machine.
type fileID struct{ dev, ino uint64 }

// target is a Maildir to deliver to. It is open while neither done nor failed.
type target struct {
	place     Place
	base, new int // descriptors
	id        fileID
	done      bool // the name is there; what is left is to sync
	earlier   bool // it was there before
	inCur     bool
	file      string
	err       error
}

func (t *target) open() bool { return !t.done && t.err == nil }

// draft is a file in tmp/ of its target, for itself and for those that link.
type draft struct {
	target *target
	file   *os.File
	tmp    int    // descriptor of tmp/
	name   string // in tmp/
	final  string // in new/; a later try of the same message has the same one
	size   int64
	links  []*target
	err    error
}

// open opens the Maildir at p and makes it first where it is missing.
func (b *batch) open(p Place) (*target, error) {
	t, err := b.openTarget(p)
	if errors.Is(err, unix.ENOENT) {
		if err = b.making.do(p.Path, func() error { return Make(b.disk, p) }); err == nil {
			t, err = b.openTarget(p)
		}
	} else if err == nil {
		err = b.making.wait(p.Path)
	}
	if err != nil {
		if t != nil {
			t.close()
		}
		return nil, classify(err)
	}
	if same := b.byDir[t.id]; same != nil {
		t.close()
		return same, nil
	}
	b.byDir[t.id] = t
	b.targets = append(b.targets, t)
	return t, nil
}

// openBase is Open, with the root that is open already where it is the same.
func (b *batch) openBase(p Place) (int, error) {
	root, rel, err := p.split()
	if err != nil {
		return -1, err
	}
	if b.rootfd < 0 || b.root != root {
		b.closeRoot()
		if b.rootfd, err = openRoot(root); err != nil {
			return -1, err
		}
		b.root = root
	}
	return p.openIn(b.rootfd, rel)
}

func (b *batch) closeRoot() {
	if b.rootfd >= 0 {
		unix.Close(b.rootfd)
		b.rootfd = -1
	}
}

func (b *batch) openTarget(p Place) (*target, error) {
	base, err := b.openBase(p)
	if err != nil {
		return nil, err
	}
	t := &target{place: p, base: base, new: -1}
	if t.new, err = sub(base, "new"); err == nil {
		t.id, err = identify(t.new)
	}
	if err == nil {
		err = unix.Faccessat(base, "tmp", unix.F_OK, 0) // Make says why
	}
	if err != nil {
		t.close()
		return nil, fmt.Errorf("open %s/new: %w", p.Path, err)
	}
	return t, nil
}

func identify(fd int) (fileID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fileID{}, err
	}
	return fileID{uint64(st.Dev), st.Ino}, nil
}

func (t *target) close() {
	unix.Close(t.base)
	if t.new >= 0 {
		unix.Close(t.new)
	}
}

func (b *batch) close() {
	b.closeRoot()
	for _, d := range b.drafts {
		d.close()
	}
	for _, t := range b.targets {
		t.close()
	}
}

// sync makes all new names durable, together.
func (b *batch) sync() {
	together(b.targets, func(t *target) {
		if !t.done {
			return
		}
		if err := b.syncTarget(t); err != nil {
			t.err = fmt.Errorf("sync %s: %w", t.place.Path, err)
		}
	})
}

func (b *batch) syncTarget(t *target) error {
	if t.inCur {
		cur, err := sub(t.base, "cur")
		if err != nil {
			return err
		}
		defer unix.Close(cur)
		return b.disk.SyncDirAt(cur, "cur")
	}
	return b.folders.sync(t.id, t.new, "new")
}

// every says how seldom a delivery also looks for what crashes left in tmp/.
const every = 64

func (b *batch) clean() {
	if len(b.drafts) == 0 || b.count.Add(1)%every != 1 {
		return
	}
	// What cannot be removed now is met again; the message is delivered.
	_ = Clean(b.disk, b.drafts[0].tmp, b.now())
}

// tmpName names a file in tmp/, where two tries of one message may meet.
func (b *batch) tmpName() string { return unique(b.message.Time.Unix(), id.New(), b.node) }
