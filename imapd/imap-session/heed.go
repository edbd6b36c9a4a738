package main

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/event"
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/scope"
	"posthorn/internal/mailbox"
)

// Bounds of one session: the mailboxes that it is told of, and those of others that are
// looked at because they may be shown to it.
const (
	maxHeeded  = 500
	maxForeign = 4 * maxHeeded
)

// errOverflow is more than can be watched.
var errOverflow = errors.New("too many mailboxes are watched")

// heed is what a client wants to hear of (RFC 5465), and what it knows. A nil heed is
// that of a client that never said so.
type heed struct {
	*Session
	selected event.Group // of the mailbox that is selected
	groups   []event.Group

	lookout    *mailbox.Lookout // nil: no group needs one
	known      map[string]*heeded
	subscribed []string
	account    map[string]uint64 // annotations, by their names
	seed       maphash.Seed
	before     string // the mailbox that was selected when something was told last
	behind     bool   // what mailboxes there are could not be found out when it was news
}

// heeded is a mailbox that a client hears of.
type heeded struct {
	place  realm.Place
	id     mailbox.Identity
	events event.Set
	status mailbox.Status    // as it was told
	notes  map[string]uint64 // annotations, by their names
}

// readable reports whether the client may know more than that the mailbox is there.
func (m *heeded) readable() bool { return m.place.Rights.Has(acl.Read) }

// hears reports whether events of the selected mailbox are told.
func (h *heed) hears(some event.Set) bool { return h != nil && h.selected.Events.Has(some) }

// close ends the watching.
func (h *heed) close() {
	if h != nil && h.lookout != nil {
		h.lookout.Close()
	}
}

// asks reports whether any group has one of some events.
func (h *heed) asks(some event.Set) bool {
	return slices.ContainsFunc(h.groups, func(g event.Group) bool { return g.Events.Has(some) })
}

// filters returns those of the groups.
func (h *heed) filters() (all []scope.Filter) {
	for _, g := range h.groups {
		all = append(all, g.Filter)
	}
	return all
}

// eventsOf returns what is told of a mailbox: what any group has that means it.
func (h *heed) eventsOf(name string) (all event.Set) {
	for _, g := range h.groups {
		if means(g.Filter, name, h.subscribed) {
			all |= g.Events
		}
	}
	return all
}

// begin finds out how everything is and has it watched. With status the client is told
// of the mailboxes whose messages it wants to hear of. Errors: errOverflow.
func (h *heed) begin(status bool) (err error) {
	h.before = h.folder
	if len(h.groups) == 0 {
		return nil
	}
	h.seed = maphash.MakeSeed()
	h.lookout = h.store.Lookout(h.conn.Wake)
	if h.known, err = h.survey(); err != nil {
		return err
	}
	if h.asks(event.ServerMetadataChange) {
		if h.account, err = h.notesOf(""); err != nil {
			return err
		}
	}
	a, err := h.lister()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(h.known)) {
		m := h.known[name]
		h.learn(name, m)
		switch {
		case !m.readable() && m.events != 0:
			a.tell(name, "", `\NoAccess`) // RFC 5465 section 3.1
		case status && m.events.Has(event.OfMessages) && name != h.folder:
			h.writeStatus(name, h.items(m), counts{Status: m.status})
		}
	}
	return nil
}

// learn takes in how a mailbox is without telling of it.
func (h *heed) learn(name string, m *heeded) {
	var err, nerr error
	if m.readable() && m.events.Has(event.OfMessages) {
		m.status, err = m.place.Box.Status(m.place.Folder)
	}
	if m.readable() && m.events.Has(event.MailboxMetadataChange) {
		m.notes, nerr = h.notesOf(name)
	}
	h.failed(errors.Join(err, nerr))
}

// failed logs a problem of the server. What was not found out now is told later.
func (h *heed) failed(err error) {
	if err != nil && !errors.Is(err, mailbox.ErrNoFolder) && refusalText(err) == "" {
		h.log.IMAPFailed(h.conn.SID, h.conn.User, "NOTIFY", err)
	}
}

// survey has everything watched that matters and returns the mailboxes that are told
// of. What happens from the beginning of a survey on is news. Errors: errOverflow.
func (h *heed) survey() (map[string]*heeded, error) {
	if err := h.outlook(); err != nil {
		return nil, err
	}
	var err error
	if h.subscribed, err = h.realm.Box.Subscriptions(); err != nil {
		return nil, err
	}
	names, err := h.meant(h.filters())
	if err != nil {
		return nil, err
	}
	found := map[string]*heeded{}
	for _, name := range names {
		m, err := h.watch(name)
		if errors.Is(err, mailbox.ErrNoFolder) || errors.Is(err, realm.ErrNoRight) {
			continue
		}
		if found[name] = m; err == nil && len(found) > maxHeeded {
			err = errOverflow
		}
		if err != nil {
			return nil, overflow(err)
		}
	}
	return found, nil
}

// watch has one mailbox watched.
func (h *heed) watch(name string) (*heeded, error) {
	p, err := h.realm.Find(name, acl.Lookup)
	if err != nil {
		return nil, err
	}
	m := &heeded{place: p, events: h.eventsOf(name)}
	m.id, err = h.lookout.Folder(p.Box, p.Folder, m.readable() && m.events.Has(event.OfMessages))
	return m, err
}

// outlook watches what mailboxes there are: the user's own, and where a group reaches
// others' all of those who show him some, for any may be shown him next.
func (h *heed) outlook() error {
	errs := []error{overflow(h.lookout.Box(h.realm.Box))}
	if h.asks(event.ServerMetadataChange) {
		_, err := h.lookout.Folder(h.realm.Box, "INBOX", false)
		errs = append(errs, overflow(err))
	}
	if h.realm.Shares == nil || !slices.ContainsFunc(h.filters(), reachesOthers) {
		return errors.Join(errs...)
	}
	errs = append(errs, overflow(h.lookout.Dir(h.realm.Shares.Root)))
	if _, err := h.realm.Visible(); err != nil { // opens the boxes
		h.failed(err)
	}
	watched := 0
	for box := range h.realm.Foreign() {
		errs = append(errs, overflow(h.lookout.Box(box)))
		folders, err := box.Folders()
		if err != nil {
			h.failed(fmt.Errorf("listing another's mailboxes: %w", err))
		}
		if watched += len(folders); watched > maxForeign {
			return errOverflow
		}
		for _, name := range folders {
			_, err := h.lookout.Folder(box, name, false)
			errs = append(errs, overflow(err))
		}
	}
	return errors.Join(errs...)
}

// overflow turns the store's limit into the session's; a folder that went away is no
// error.
func overflow(err error) error {
	switch {
	case errors.Is(err, mailbox.ErrUnwatched):
		return fmt.Errorf("%w: %w", errOverflow, err)
	case errors.Is(err, mailbox.ErrNoFolder):
		return nil
	}
	return err
}
