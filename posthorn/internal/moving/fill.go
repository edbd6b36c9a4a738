package moving

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
)

// ErrAway is that the source cannot be reached, for now.
var ErrAway = errors.New("cannot reach the source")

var (
	errTooLarge = errors.New("larger than message-size allows")
	errNothing  = errors.New("no message can be read")
	errStray    = errors.New("the source sent what it was not asked for")
)

// So much is filed at a time, and so much noted at a time.
const (
	batchMessages = 64
	batchOctets   = 8 << 20
	unknownSize   = 64 << 10
	noteEvery     = 512
	noteAfter     = 2 * time.Second
)

// A source that is lost is tried again; a message with which it is lost each time
// is given up, and so is a source that is lost with so many in a row.
const (
	triesAway    = 4
	triesMessage = 2
	lostInARow   = 10
)

// patiently calls f again while it fails with one of errs.
func (r *run) patiently(f func() error, errs ...error) error {
	pause := time.Second
	for try := 1; ; try++ {
		err := f()
		again := slices.ContainsFunc(errs, func(e error) bool { return errors.Is(err, e) })
		if !again || try == triesAway || r.ctx.Err() != nil {
			return err
		}
		r.Report.Problem(err.Error() + "; trying again")
		r.Pause(pause)
		pause *= 4
	}
}

// filing is one folder on its way.
type filing struct {
	*run
	from    Folder
	to      string
	items   []Item
	token   string
	done    []bool
	waiting bool // for all messages, to take over their UIDs
	journal *journal
	noted   time.Time
	unnoted int
	full    bool            // there was no room for some
	refused map[string]bool // keywords that cannot be here, once said
}

// fill brings the messages of a folder.
func (r *run) fill(f Folder, to string, l *Listing) (err error) {
	p := &filing{run: r, from: f, to: to, items: l.Items, token: l.Token, done: make([]bool, len(l.Items)), noted: time.Now(), refused: map[string]bool{}}
	if p.journal, err = openJournal(r.box, to, r.src.Name()+"/"+f.Raw); err != nil {
		return err
	}
	defer p.journal.close()
	if p.waiting, err = r.await(to, l.UIDValidity); err != nil {
		return err
	}
	if err := p.look(); err != nil {
		return err
	}
	todo := p.todo()
	r.counts.Already += len(l.Items) - len(todo)
	r.Report.Folder(fullName(f), to, len(l.Items), len(todo))
	err = p.bring(todo)
	err = errors.Join(err, p.note())
	if err == nil && p.waiting && !p.full {
		err = p.renumber(l)
	}
	return err
}

// uidsOf is the key of the note, in the INBOX, of whose UIDVALIDITY a folder has, or
// waits for.
func uidsOf(to string) string { return shortKey("uidvalidity/" + to) }

const waiting = " waiting"

// await reports whether the folder here is to take over a UIDVALIDITY: it was empty
// when the first of its messages came. One that had it once does not get it again:
// its UIDs may have been given to other messages since.
func (r *run) await(to string, uidvalidity uint32) (bool, error) {
	if uidvalidity == 0 {
		return false, nil
	}
	value := strconv.FormatUint(uint64(uidvalidity), 10) + waiting
	old, err := r.fact("INBOX", statefile.Import, uidsOf(to))
	if err != nil || old != "" {
		return old == value, err
	}
	st, err := r.box.Status(to)
	if err != nil || st.Messages > 0 {
		return false, err
	}
	return true, r.note("INBOX", statefile.Import, uidsOf(to), value)
}

// renumber has the folder take over UIDVALIDITY and UIDs.
func (p *filing) renumber(l *Listing) error {
	old := mailbox.Elsewhere{UIDValidity: l.UIDValidity, UIDNext: l.UIDNext, UIDs: make(map[string]uint32, len(l.Items))}
	for _, item := range l.Items {
		old.UIDs[item.ID] = item.Number
	}
	ok, err := p.box.Renumber(p.to, old)
	if err != nil || !ok {
		return err
	}
	p.counts.Kept++
	return p.run.note("INBOX", statefile.Import, uidsOf(p.to), strconv.FormatUint(uint64(l.UIDValidity), 10))
}

// look finds out which messages are here, by the journal and by the names of files.
func (p *filing) look() error {
	brought, missing := p.journal.load(p.token), false
	for i, item := range p.items {
		p.done[i] = brought.has(item.Number)
		missing = missing || !p.done[i]
	}
	if !missing {
		return nil
	}
	ids, err := p.box.IDs(p.to)
	if err != nil {
		return err
	}
	for i, item := range p.items {
		if !p.done[i] && ids[item.ID] {
			p.done[i] = true
			p.unnoted++
		}
	}
	return nil
}

// todo returns the places of the messages that are not here.
func (p *filing) todo() (todo []int) {
	for i := range p.items {
		if !p.done[i] {
			todo = append(todo, i)
		}
	}
	return todo
}
