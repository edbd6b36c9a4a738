package moving

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
)

// Report hears what goes on.
type Report interface {
	// Folder is told of each folder before its messages: its names there and here,
	// how many messages it has, and how many of them are to be brought.
	Folder(from, to string, total, left int)
	// Filed is told that messages of that folder were dealt with.
	Filed(messages int, octets int64)
	// Problem is told, in a line, what did not go as it should.
	Problem(text string)
}

// Options say what is brought, and how.
type Options struct {
	Into    string              // a folder here, below which all goes; "": none
	Only    []string            // folders there, '/' between levels; none: all
	Skip    []string            // folders there that are left out
	MaxSize int64               // octets of a message; 0: any
	Uses    map[string][]string // what the configuration says that folders are for
	Report  Report
	Pause   func(time.Duration) // between tries; nil: time.Sleep
}

// Counts is what became of the messages.
type Counts struct {
	Folders int
	Filed   int // brought now
	Octets  int64
	Already int // brought before
	Failed  int // not brought: each was reported
	Kept    int // folders that took over UIDVALIDITY and UIDs
}

// run is an import under way.
type run struct {
	Options
	ctx    context.Context
	box    *mailbox.Box // nil: nothing is brought
	src    Source
	counts Counts
}

// Run brings the mail of src into box; with no box it only says what it would. The
// error is of what ended it before its end, or says how many messages failed.
func Run(ctx context.Context, box *mailbox.Box, src Source, o Options) (Counts, error) {
	r := &run{Options: o, ctx: ctx, box: box, src: src}
	if r.Pause == nil {
		r.Pause = time.Sleep
	}
	folders, err := src.Folders()
	if err != nil {
		return r.counts, fmt.Errorf("listing folders: %w", err)
	}
	r.complainOfNames(folders)
	for _, f := range folders {
		if !r.wanted(f) {
			continue
		}
		if err := r.folder(f); err != nil {
			return r.counts, fmt.Errorf("%s: %w", fullName(f), err)
		}
	}
	if r.counts.Failed > 0 {
		return r.counts, fmt.Errorf("%d messages were not brought", r.counts.Failed)
	}
	return r.counts, nil
}

// fullName is what people call a folder elsewhere.
func fullName(f Folder) string { return strings.Join(f.Levels, "/") }

func (r *run) wanted(f Folder) bool {
	name := fullName(f)
	return !slices.Contains(r.Skip, name) && (len(r.Only) == 0 || slices.Contains(r.Only, name))
}

// complainOfNames reports folders that were asked for and are not there.
func (r *run) complainOfNames(folders []Folder) {
	for _, name := range slices.Concat(r.Only, r.Skip) {
		if !slices.ContainsFunc(folders, func(f Folder) bool { return fullName(f) == name }) {
			r.Report.Problem(fmt.Sprintf("found no folder %q there", name))
		}
	}
}

// folder brings one folder.
func (r *run) folder(f Folder) error {
	to := placeFor(f.Levels, r.Into)
	if f.Missing {
		return r.subscribe(f, to)
	}
	var l *Listing
	err := r.patiently(func() (err error) {
		l, err = r.src.List(f)
		return err
	}, ErrAway, ErrLost)
	if err != nil && !errors.Is(err, ErrLost) && !errors.Is(err, ErrAway) {
		r.Report.Problem(fmt.Sprintf("%s: %v", fullName(f), err))
		r.counts.Failed++
		return nil
	}
	if err != nil {
		return err
	}
	r.counts.Folders++
	for _, note := range l.Notes {
		r.Report.Problem(fullName(f) + ": " + note)
	}
	r.counts.Failed += l.Unlisted
	differ(l.Items)
	if r.box == nil {
		r.Report.Folder(fullName(f), to, len(l.Items), len(l.Items))
		r.pretend(f, l)
		return nil
	}
	if err := r.ready(f, to); err != nil {
		if !errors.Is(err, mailbox.ErrOverQuota) && !errors.Is(err, mailbox.ErrBadName) {
			return err
		}
		r.Report.Problem(fmt.Sprintf("%s: making %q: %v; its %d messages were not brought", fullName(f), to, err, len(l.Items)))
		r.counts.Failed += len(l.Items)
		return nil
	}
	return r.fill(f, to, l)
}

// differ gives items that look the same ids of their own.
func differ(items []Item) {
	seen := make(map[string]int, len(items))
	for i := range items {
		one := &items[i]
		if n := seen[one.ID]; n > 0 {
			seen[one.ID]++
			one.ID = ID(0, one.ID, strconv.Itoa(n))
		}
		seen[one.ID]++
	}
}

// pretend counts what would be brought.
func (r *run) pretend(f Folder, l *Listing) {
	for _, item := range l.Items {
		if r.MaxSize > 0 && item.Size > r.MaxSize {
			r.problem(f, item, errTooLarge)
			continue
		}
		r.counts.Filed++
		r.counts.Octets += max(item.Size, 0)
	}
}

// ready makes the folder here, with its subscription and what it is for.
func (r *run) ready(f Folder, to string) error {
	have, err := r.box.Exists(to)
	if err != nil {
		return err
	}
	if !have {
		if err := r.box.Create(to); err != nil && !errors.Is(err, mailbox.ErrExists) {
			return err
		}
		if err := r.use(f, to); err != nil {
			return err
		}
	}
	return r.subscribe(f, to)
}

// subscribe subscribes to a folder here, as it was there.
func (r *run) subscribe(f Folder, to string) error {
	if !f.Subscribed || r.box == nil {
		return nil
	}
	names, err := r.box.Subscriptions()
	if err != nil || slices.Contains(names, to) {
		return err
	}
	if err := r.box.Subscribe(to, true); err != nil {
		return fmt.Errorf("subscribing to %q: %w", to, err)
	}
	return nil
}

// use notes what a new folder is for, unless the configuration says so of its name,
// or some folder was given that use here.
func (r *run) use(f Folder, to string) error {
	uses := slices.DeleteFunc(slices.Clone(f.Uses), func(use string) bool {
		return !slices.Contains(statefile.Uses(), use) || slices.Contains(r.Uses[to], use)
	})
	folders, err := r.box.Folders()
	if err != nil || len(uses) == 0 {
		return err
	}
	for _, name := range folders {
		given, err := r.fact(name, statefile.Metadata, statefile.UseEntry)
		if err != nil {
			return err
		}
		uses = slices.DeleteFunc(uses, func(use string) bool { return slices.Contains(strings.Fields(given), use) })
	}
	if len(uses) == 0 {
		return nil
	}
	if err := r.note("INBOX", statefile.Account, statefile.UsesKept, "yes"); err != nil {
		return err
	}
	return r.note(to, statefile.Metadata, statefile.UseEntry, strings.Join(uses, " "))
}

// fact returns what posthorn-state of a folder says, "" if nothing.
func (r *run) fact(name string, k statefile.Kind, key string) (string, error) {
	state, err := r.box.State(name)
	if errors.Is(err, mailbox.ErrNoFolder) { // by now
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer state.Close()
	value, _ := state.Get(k, key)
	return value, nil
}

// note writes a fact into posthorn-state of a folder.
func (r *run) note(name string, k statefile.Kind, key, value string) error {
	state, err := r.box.State(name)
	if err != nil {
		return err
	}
	defer state.Close()
	return state.Update(func(c *statefile.Changes) error {
		c.Set(k, key, value)
		return nil
	})
}
