package main

import (
	"errors"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/event"
	"posthorn/imapd/internal/query"
	"posthorn/internal/mailbox"
)

// tell tells of what happened in mailboxes that are not selected, and to mailboxes. A
// problem of the server does not end the session.
func (h *heed) tell() error {
	if h == nil || h.lookout == nil {
		return nil
	}
	news := h.lookout.News()
	var whole mailbox.News
	for _, n := range news {
		whole |= n
	}
	if h.behind || whole&(mailbox.NewsOfFolders|mailbox.NewsOfState) != 0 {
		err := h.compare()
		if errors.Is(err, errOverflow) {
			h.overflow()
			return nil
		}
		h.behind = err != nil
		h.failed(err)
	}
	for _, name := range slices.Sorted(maps.Keys(h.known)) {
		m := h.known[name]
		n := news[mailbox.Spot{Box: m.place.Box, Folder: m.place.Folder}]
		if n&mailbox.NewsOfState != 0 {
			h.tellNotes(name, m)
		}
		// Of a mailbox that was selected it is not known what the client heard.
		if n&mailbox.NewsOfMessages != 0 || name == h.before && name != h.folder {
			h.tellStatus(name, m)
		}
	}
	h.before = h.folder
	if whole&mailbox.NewsOfState != 0 && h.asks(event.ServerMetadataChange) {
		h.account = h.changedNotes("", h.account)
	}
	return h.w.Err()
}

// overflow ends it all as NOTIFY NONE does (RFC 5465 section 5.8).
func (h *heed) overflow() {
	h.close()
	h.Session.heed = &heed{Session: h.Session}
	h.attend()
	h.w.Raw("* OK [NOTIFICATIONOVERFLOW] too many mailboxes, nothing is told from now on\r\n")
}

// items are the items of STATUS that are told of a mailbox (RFC 5465 sections 3.1, 5.1
// to 5.3).
func (h *heed) items(m *heeded) []string {
	items := []string{"MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"}
	if h.modSeqs || m.events.Has(event.FlagChange) {
		items = append(items, "HIGHESTMODSEQ")
	}
	return items
}

// tellStatus tells of changes in a mailbox that is not selected.
func (h *heed) tellStatus(name string, m *heeded) {
	if name == h.folder || !m.events.Has(event.OfMessages) {
		return
	}
	p, err := h.realm.Find(name, acl.Lookup|acl.Read)
	if err != nil {
		h.failed(err)
		return
	}
	now, err := p.Box.Status(p.Folder)
	if err != nil {
		h.failed(err)
		return
	}
	was := m.status
	m.status = now
	messages := now.Messages != was.Messages || now.UIDNext != was.UIDNext || now.UIDValidity != was.UIDValidity
	flags := now.HighestModSeq != was.HighestModSeq || now.Unseen != was.Unseen
	if messages || flags && m.events.Has(event.FlagChange) {
		h.writeStatus(name, h.items(m), counts{Status: now})
	}
}

// compare looks again at which mailboxes there are and tells what became of them. One
// that may be seen from now on is like a new one (RFC 5465 section 5.4). After an error
// nothing was told, and nothing is taken for told.
func (h *heed) compare() error {
	subscribed := h.subscribed
	found, err := h.survey()
	var a *herald
	if err == nil {
		a, err = h.lister()
	}
	if err != nil {
		h.subscribed = subscribed
		return err
	}
	was := h.known
	h.known = found
	names := map[mailbox.Identity]string{} // of those that went or have another name
	for name, m := range was {
		if now := found[name]; now == nil || now.id != m.id {
			names[m.id] = name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		m := found[name]
		old := was[name]
		if old == nil || old.id != m.id {
			oldName := names[m.id]
			h.tellNewName(a, name, m, oldName, was[oldName])
			h.tellFirst(name, m, old == nil && oldName == "")
			delete(names, m.id)
			continue
		}
		m.status, m.notes = old.status, old.notes
		h.tellRights(a, name, m, old)
	}
	for _, name := range slices.Sorted(maps.Values(names)) {
		h.tellGone(a, name, was[name])
	}
	h.tellSubscriptions(a, subscribed)
	return nil
}

// tellNewName tells of a mailbox that is new, or has a new name.
func (h *heed) tellNewName(a *herald, name string, m *heeded, oldName string, old *heeded) {
	if m.events.Has(event.MailboxName) {
		a.tell(name, oldName)
	}
	if old != nil {
		m.status, m.notes = old.status, old.notes
	}
}

// tellFirst tells of what is in a mailbox that has got its name. A new one is empty as
// a rule, which is not told.
func (h *heed) tellFirst(name string, m *heeded, fresh bool) {
	if fresh {
		m.status.UIDNext = 1
		if st, err := m.place.Box.Status(m.place.Folder); err == nil {
			m.status.UIDValidity = st.UIDValidity
		}
	}
	h.tellStatus(name, m)
	h.tellNotes(name, m)
}

// tellRights tells of a mailbox whose messages may be heard of no more, or again (RFC
// 5465 section 5.9).
func (h *heed) tellRights(a *herald, name string, m, old *heeded) {
	switch {
	case old.readable() && !m.readable():
		a.tell(name, "", `\NoAccess`)
	case m.readable() && !old.readable():
		a.tell(name, "")
		h.tellStatus(name, m)
	}
}

// tellGone tells of a mailbox that is no more, as far as this user can see. One that is
// there and is not meant any more is none.
func (h *heed) tellGone(a *herald, name string, m *heeded) {
	if h.known[name] != nil || a.folders.exists[name] {
		return
	}
	if m.place.Own { // another's may be shown again
		h.lookout.Drop(mailbox.Spot{Box: h.realm.Box, Folder: m.place.Folder})
	}
	if m.events.Has(event.MailboxName) {
		a.tell(name, "")
	}
}

// tellSubscriptions tells what became of subscriptions (RFC 5465 section 5.5). A
// mailbox that is subscribed to no more is told of as one that is.
func (h *heed) tellSubscriptions(a *herald, was []string) {
	for _, name := range slices.Sorted(slices.Values(slices.Concat(without(was, h.subscribed), without(h.subscribed, was)))) {
		for _, g := range h.groups {
			if g.Events.Has(event.SubscriptionChange) && means(g.Filter, name, []string{name}) {
				a.tell(name, "")
				break
			}
		}
	}
}

// without returns the names in list that are not in other; both are sorted.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool {
		_, ok := slices.BinarySearch(other, name)
		return ok
	})
}

// herald writes LIST responses that nobody asked for.
type herald struct{ lister }

// lister returns one that knows how everything is now.
func (h *heed) lister() (*herald, error) {
	a := &herald{lister{Session: h.Session, List: query.List{Extended: true, Subscription: true}}}
	return a, a.look()
}

// tell tells of a name, with the one it had before unless that is "".
func (a *herald) tell(name, oldName string, more ...string) {
	attributes := append([]string{a.attributes(name, a.folders.exists[name])}, more...)
	a.w.Raw("* LIST (", strings.Join(attributes, " "), ") \"", a.separator(name), "\" ")
	a.w.AString(a.encode(name))
	if oldName != "" {
		a.w.Raw(" (\"OLDNAME\" (")
		a.w.AString(a.encode(oldName))
		a.w.Raw("))")
	}
	a.w.Raw("\r\n")
}

// notesOf returns the annotations that the client may see, as sums of their values.
func (h *heed) notesOf(name string) (map[string]uint64, error) {
	all, private, err := h.annotations(name)
	if err != nil {
		return nil, err
	}
	sums := map[string]uint64{}
	for key, value := range all {
		switch {
		case strings.HasPrefix(key, "/shared/"):
			sums[key] = maphash.String(h.seed, value)
		case strings.HasPrefix(key, private+"/private/"):
			sums[strings.TrimPrefix(key, private)] = maphash.String(h.seed, value)
		}
	}
	return sums, nil
}

// tellNotes tells of changed annotations of a mailbox.
func (h *heed) tellNotes(name string, m *heeded) {
	if m.readable() && m.events.Has(event.MailboxMetadataChange) {
		m.notes = h.changedNotes(name, m.notes)
	}
}

// changedNotes tells which annotations differ from what they were (RFC 5464 section
// 4.4.2) and returns what they are.
func (h *heed) changedNotes(name string, was map[string]uint64) map[string]uint64 {
	now, err := h.notesOf(name)
	if err != nil {
		h.failed(err)
		return was
	}
	var entries []string
	for entry, sum := range now {
		if old, ok := was[entry]; !ok || old != sum {
			entries = append(entries, entry)
		}
	}
	for entry := range was {
		if _, ok := now[entry]; !ok {
			entries = append(entries, entry)
		}
	}
	if entries == nil {
		return now
	}
	h.w.Raw("* METADATA ")
	h.w.AString(h.encode(name))
	slices.Sort(entries)
	for _, entry := range entries {
		h.w.Raw(" ")
		h.w.AString(entry)
	}
	h.w.Raw("\r\n")
	return now
}
