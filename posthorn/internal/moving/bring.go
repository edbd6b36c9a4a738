package moving

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"posthorn/internal/dovecot"
	"posthorn/internal/mailbox"
	"posthorn/internal/screen"
)

// bring files messages, in batches as long as that goes well.
func (p *filing) bring(todo []int) error {
	var t trouble
	for at := 0; at < len(todo); {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		n := 1
		if at >= t.single {
			n = p.fit(todo[at:])
		}
		err := p.patiently(func() error { return p.batch(todo[at : at+n]) }, ErrAway)
		next, err := t.judge(err, at, n)
		switch {
		case err != nil && next == at:
			return err
		case err != nil:
			p.full = p.full || errors.Is(err, mailbox.ErrOverQuota)
			p.problem(p.from, p.items[todo[at]], err)
			p.Report.Filed(1, 0)
		}
		at = next
		if err := p.noteSometimes(); err != nil {
			return err
		}
	}
	return nil
}

// trouble decides what follows from what went wrong.
type trouble struct {
	single int // up to here messages go one at a time, to find out which it is
	tries  int // with the message that comes next
	row    int // messages with which the source was lost, without one that was filed
}

// judge returns where to go on after the n messages from at: with an error behind
// them they were given up, with one at the same place all is.
func (t *trouble) judge(err error, at, n int) (next int, verdict error) {
	lost := errors.Is(err, ErrLost)
	switch {
	case err == nil:
		t.tries, t.row = 0, 0
		return at + n, nil
	case !lost && !ofMessage(err) || lost && t.row == lostInARow:
		return at, err
	case n > 1:
		t.single = at + n
		return at, nil
	case lost && t.tries+1 < triesMessage:
		t.tries++
		return at, nil
	}
	if t.tries = 0; lost {
		t.row++
	}
	return at + 1, err
}

// ofMessage reports whether err concerns one message, and others may be filed.
func ofMessage(err error) bool {
	for _, one := range []error{errTooLarge, ErrUnread, mailbox.ErrOverQuota, mailbox.ErrKeywords, mailbox.ErrBadKeyword} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// fit returns how many messages make a batch. Where the mailbox may have no room
// for all, they go one at a time.
func (p *filing) fit(todo []int) int {
	n, octets := 0, int64(0)
	for _, i := range todo {
		size := p.items[i].Size
		if size < 0 {
			size = unknownSize
		}
		if n == batchMessages || n > 0 && octets+size > batchOctets {
			break
		}
		n, octets = n+1, octets+size
	}
	if p.box.Room(octets, n) != nil {
		return 1
	}
	return n
}

// batch files the messages at the places todo, all or none.
func (p *filing) batch(todo []int) error {
	if len(todo) == 1 {
		if err := p.refuse(p.items[todo[0]]); err != nil {
			return err
		}
	}
	b := &batch{filing: p, todo: todo}
	_, _, err := p.box.AppendAll(p.to, b.letters())
	if b.lost != nil {
		return b.lost
	}
	if err != nil && !errors.Is(err, errNothing) {
		return err
	}
	for _, bad := range b.bad {
		p.problem(p.from, bad.item, bad.err)
	}
	octets := int64(0)
	for n, i := range b.filed {
		p.done[i] = true
		octets += b.octets[n]
	}
	p.unnoted += len(b.filed)
	p.counts.Filed += len(b.filed)
	p.counts.Octets += octets
	p.Report.Filed(len(todo), octets)
	return nil
}

// refuse returns why a message cannot be brought, before it is read.
func (p *filing) refuse(item Item) error {
	if p.MaxSize > 0 && item.Size > p.MaxSize {
		return errTooLarge
	}
	return p.box.Room(max(item.Size, 0), 1)
}

// batch is messages on their way.
type batch struct {
	*filing
	todo   []int
	filed  []int   // places of those that were read
	octets []int64 // of these
	bad    []badItem
	lost   error
}

type badItem struct {
	item Item
	err  error
}

// letters yields the messages as they are to be filed. What ends the batch comes
// out of the Reader of one.
func (b *batch) letters() iter.Seq[mailbox.Incoming] {
	items, places := make([]Item, len(b.todo)), make(map[string]int, len(b.todo))
	for n, i := range b.todo {
		items[n], places[b.items[i].ID] = b.items[i], i
	}
	return func(yield func(mailbox.Incoming) bool) {
		for letter, err := range b.src.Fetch(items) {
			if errors.Is(err, ErrLost) || errors.Is(err, ErrAway) {
				b.lost = err
				yield(mailbox.Incoming{Reader: failing{err}, Size: -1})
				return
			}
			place, ok := places[letter.ID]
			if !ok {
				b.lost = cmp.Or(err, errStray)
				yield(mailbox.Incoming{Reader: failing{b.lost}, Size: -1})
				return
			}
			if err != nil {
				b.bad = append(b.bad, badItem{letter.Item, err})
				continue
			}
			b.filed, b.octets = append(b.filed, place), append(b.octets, 0)
			if !yield(b.incoming(letter)) {
				return
			}
		}
		if len(b.filed) == 0 {
			yield(mailbox.Incoming{Reader: failing{errNothing}, Size: -1})
		}
	}
}

// incoming returns a letter as it is filed.
func (b *batch) incoming(l Letter) mailbox.Incoming {
	m := mailbox.Incoming{Reader: &body{b: b, r: l.Body}, Size: -1, Date: l.Date, ID: l.ID}
	m.Flags = mailbox.Flags{System: l.Flags.System, Keywords: b.keywords(l.Flags.Keywords)}
	if fit := func(r rune) bool { return '!' <= r && r <= '~' }; len(l.UIDL) <= maxUIDL && strings.IndexFunc(l.UIDL, func(r rune) bool { return !fit(r) }) < 0 {
		m.UIDL = l.UIDL
	}
	return m
}

// maxUIDL is the longest UIDL that is shown again.
const maxUIDL = 255

// keywords returns those that can be here, and says once which cannot.
func (p *filing) keywords(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(word string) bool {
		if dovecot.CheckKeyword(word) == nil {
			return false
		}
		if !p.refused[word] {
			p.refused[word] = true
			p.Report.Problem(fmt.Sprintf("%s: the keyword %q cannot be here, messages come without it", fullName(p.from), word))
		}
		return true
	})
}

// body reads a message, counts it, and ends it where it is too large.
type body struct {
	b *batch
	r io.Reader
}

func (r *body) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	read := &r.b.octets[len(r.b.octets)-1]
	*read += int64(n)
	if limit := r.b.MaxSize; limit > 0 && *read > limit {
		return n, errTooLarge
	}
	if errors.Is(err, ErrLost) {
		r.b.lost = err
	}
	return n, err
}

// failing is a Reader that only fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// problem reports a message that is not brought.
func (r *run) problem(f Folder, item Item, err error) {
	r.counts.Failed++
	name := strconv.FormatUint(uint64(item.Number), 10)
	if item.Number == 0 {
		name = item.ID
	}
	r.Report.Problem(fmt.Sprintf("%s: message %s: %s", fullName(f), name, screen.Line(err.Error())))
}

// noteSometimes notes what was brought when that is worth a sync.
func (p *filing) noteSometimes() error {
	if p.unnoted < noteEvery && (p.unnoted == 0 || time.Since(p.noted) < noteAfter) {
		return nil
	}
	return p.note()
}

// note notes what was brought; all of it is durable.
func (p *filing) note() error {
	if p.unnoted == 0 {
		return nil
	}
	p.unnoted, p.noted = 0, time.Now()
	return p.journal.save(p.token, doneSpans(p.items, p.done))
}
