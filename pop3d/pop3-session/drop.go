package main

import (
	"cmp"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/mailbox"
	"posthorn/internal/uidl"
)

// Keywords that POP3 leaves on messages.
const (
	fetchedKeyword = mailbox.FetchedKeyword
	hiddenKeyword  = "$POP3Deleted" // hidden from POP3; Dovecot's name for it
)

// maildrop is what a session sees: the messages that were there when it began,
// numbered from 1 (RFC 1939 4).
type maildrop interface {
	// Len returns the number of messages, which does not change.
	Len() int
	// Size returns message n's size in octets with CRLF line ends.
	Size(n int) (int64, error)
	// AppendUIDL adds message n's unique-id to dst.
	AppendUIDL(dst []byte, n int) []byte
	// Open opens message n for reading. The caller closes it.
	Open(n int) (body, error)
	// Commit does to the messages of seen and deleted what the rules have for what
	// is fetched and deleted. An error means that some of deleted may still be there.
	Commit(deleted, seen []int) error
	// Seen marks messages as seen that were sent in a session without QUIT: nobody
	// knows that the client has them, so it must not lead to their removal.
	Seen(seen []int)
	// Close ends the exclusive use. It may be called again.
	Close() error
}

// body is an open message with CRLF line ends.
type body interface {
	io.ReaderAt
	Size() int64
	HeaderSize() (int64, error)
	Close() error
}

// inbox is a maildrop over a mailbox's INBOX. Its view is never synced, so
// numbers stand; what is gone meanwhile fails one by one.
type inbox struct {
	box    *mailbox.Box
	view   *mailbox.View
	rule   conf.POP3
	shown  []mailbox.Listed          // in POP3's order
	ids    map[uint32]mailbox.POP3ID // by UID; what a message was known by elsewhere
	unlock func()
}

// openDrop opens the INBOX of the mailbox at path for one POP3 session that begins
// now. Errors: mailbox.ErrLocked.
func openDrop(store *mailbox.Store, path string, rule conf.POP3, now time.Time) (*inbox, error) {
	box, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	d := &inbox{box: box, rule: rule}
	if err := d.enter(now); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// enter takes the box for this session, and what it has to show.
func (d *inbox) enter(now time.Time) (err error) {
	if d.unlock, err = d.box.LockPOP3(); err != nil {
		return err
	}
	if d.view, err = d.box.Select("INBOX", false); err != nil {
		return err
	}
	if err := d.expire(now); err != nil {
		return err
	}
	if d.ids, err = d.view.POP3IDs(d.rule.UIDL.Names()); err != nil {
		return err
	}
	return d.show()
}

// expire removes what was fetched so many days ago. The file's ctime is that of
// the mark or later, so nothing goes too early.
func (d *inbox) expire(now time.Time) error {
	if d.rule.Expire == 0 {
		return nil
	}
	var old []uint32
	for _, seq := range d.marked(fetchedKeyword) {
		changed, err := d.changed(seq)
		if errors.Is(err, mailbox.ErrExpunged) {
			continue
		}
		if err != nil {
			return err
		}
		if now.Sub(changed) >= time.Duration(d.rule.Expire)*24*time.Hour {
			old = append(old, d.view.At(seq).UID)
		}
	}
	if len(old) == 0 {
		return nil
	}
	return d.view.Remove(old)
}

func (d *inbox) changed(seq int) (time.Time, error) {
	b, err := d.view.Open(seq)
	if err != nil {
		return time.Time{}, err
	}
	defer b.Close()
	return b.Changed()
}

// marked returns the messages that have a keyword. Few folders know it at all.
func (d *inbox) marked(keyword string) (seqs []int) {
	is := func(k string) bool { return strings.EqualFold(k, keyword) }
	if !slices.ContainsFunc(d.view.Keywords(), is) {
		return nil
	}
	for seq := 1; seq <= d.view.Len(); seq++ {
		if slices.ContainsFunc(d.view.At(seq).Flags.Keywords, is) {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// show decides which messages the session has, and in which order: that of
// another server, where it was saved, then that of UIDs.
func (d *inbox) show() (err error) {
	if d.shown, err = d.view.List(); err != nil {
		return err
	}
	if d.rule.Hide {
		hidden := d.marked(hiddenKeyword)
		d.shown = slices.DeleteFunc(d.shown, func(m mailbox.Listed) bool {
			_, is := slices.BinarySearch(hidden, m.Seq)
			return is
		})
	}
	if len(d.ids) > 0 {
		slices.SortStableFunc(d.shown, func(a, b mailbox.Listed) int { return cmp.Compare(d.order(a), d.order(b)) })
	}
	return nil
}

// order is the place that was saved of a message; those without come last.
func (d *inbox) order(m mailbox.Listed) uint32 {
	if order := d.ids[m.UID].Order; order > 0 {
		return order
	}
	return math.MaxUint32
}

func (d *inbox) Len() int { return len(d.shown) }

func (d *inbox) Size(n int) (int64, error) {
	m := d.shown[n-1]
	if m.Size >= 0 {
		return m.Size, nil
	}
	measured, err := d.view.Measure(m.Seq)
	return measured.Size, err
}

// AppendUIDL adds the unique-id that came with a migrated message, else that of the
// template: clients of a server that changes hands download nothing again.
func (d *inbox) AppendUIDL(dst []byte, n int) []byte {
	uid := d.shown[n-1].UID
	id := d.ids[uid]
	if id.UIDL != "" {
		return append(dst, id.UIDL...)
	}
	return d.rule.UIDL.Append(dst, uidl.Message{UID: uid, UIDValidity: d.view.UIDValidity(), File: id.File})
}

func (d *inbox) Open(n int) (body, error) {
	b, err := d.view.Open(d.shown[n-1].Seq)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (d *inbox) Commit(deleted, seen []int) error {
	d.mark(seen, d.rule.Expire > 0)
	switch {
	case len(deleted) == 0:
		return nil
	case d.rule.Hide:
		_, err := d.view.Store(d.seqs(deleted), mailbox.Add, mailbox.Flags{Keywords: []string{hiddenKeyword}})
		return err
	}
	uids := make([]uint32, len(deleted))
	for i, n := range deleted {
		uids[i] = d.shown[n-1].UID
	}
	return d.view.Remove(uids)
}

func (d *inbox) Seen(seen []int) { d.mark(seen, false) }

// mark notes what was fetched, and whether it is to be removed for that some day. A
// mark that fails is no loss, and no reason to keep what was deleted.
func (d *inbox) mark(seen []int, expires bool) {
	if !d.rule.Mark || len(seen) == 0 {
		return
	}
	seqs, flags := d.seqs(seen), mailbox.Flags{System: mailbox.Seen}
	if expires {
		flags.Keywords = []string{fetchedKeyword}
	}
	_, err := d.view.Store(seqs, mailbox.Add, flags)
	if errors.Is(err, mailbox.ErrKeywords) {
		d.view.Store(seqs, mailbox.Add, mailbox.Flags{System: mailbox.Seen})
	}
}

// seqs returns the sequence numbers of messages.
func (d *inbox) seqs(numbers []int) []int {
	seqs := make([]int, len(numbers))
	for i, n := range numbers {
		seqs[i] = d.shown[n-1].Seq
	}
	slices.Sort(seqs)
	return seqs
}

func (d *inbox) Close() error {
	if d.box == nil {
		return nil
	}
	if d.view != nil {
		d.view.Close()
	}
	if d.unlock != nil {
		d.unlock()
	}
	box := d.box
	d.box = nil
	return box.Close()
}
