package mailbox

import (
	"errors"
	"fmt"
	"math"

	"posthorn/internal/dovecot"
)

// maxUIDL bounds a saved UIDL. RFC 1939 7 has 70 octets; servers that mail was
// migrated from did not all obey it.
const maxUIDL = 255

// POP3ID is what POP3 clients know a message by, besides its UID.
type POP3ID struct {
	// UIDL is the unique-id that it had on a server that the mailbox was migrated
	// from (the field P of dovecot-uidlist), or "". POP3 has to go on showing it, or
	// clients download all mail again.
	UIDL string
	// Order is its place among the messages (the field O), or 0: those that have
	// one come first, the lowest in front.
	Order uint32
	// File is the name of its file without the flags.
	File string
}

// POP3IDs returns, by UID, the messages that have a UIDL or a place saved; nil:
// there are none. With names it is all messages, for the names of their files.
func (v *View) POP3IDs(names bool) (map[uint32]POP3ID, error) {
	f := v.folder
	f.mu.Lock()
	saved, dir := f.uidls, f.dir
	f.mu.Unlock()
	if !saved && !names {
		return nil, nil
	}
	// They are read again each time: no other session has a use for them.
	list := dovecot.NewUidlist(dir, 0)
	defer list.Close()
	ids := make(map[uint32]POP3ID)
	err := list.Load(func() { clear(ids) }, func(r dovecot.Record) {
		if id, ok := savedPOP3(r); ok || names {
			id.File = string(r.Name)
			ids[r.UID] = id
		}
	})
	if err != nil && !errors.Is(err, dovecot.ErrNoList) {
		return nil, fmt.Errorf("reading saved UIDLs: %w", err)
	}
	return ids, nil
}

// savedPOP3 returns what a line says of POP3, if it says anything.
func savedPOP3(r dovecot.Record) (id POP3ID, ok bool) {
	if r.Fields == nil {
		return id, false
	}
	id.UIDL, _ = savedUIDL(r)
	if order := r.Size('O'); order > 0 && order <= math.MaxUint32 {
		id.Order = uint32(order)
	}
	return id, id != POP3ID{}
}

// savedUIDL returns the field P of a line, if a client can be shown it.
func savedUIDL(r dovecot.Record) (string, bool) {
	value, ok := r.Field('P')
	if !ok || len(value) == 0 || len(value) > maxUIDL {
		return "", false
	}
	for _, c := range value {
		if c < '!' || c > '~' {
			return "", false
		}
	}
	return string(value), true
}
