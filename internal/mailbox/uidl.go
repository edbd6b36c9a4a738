package mailbox

import (
	"errors"
	"fmt"

	"posthorn/internal/dovecot"
)

// maxUIDL bounds a saved UIDL. RFC 1939 7 has 70 octets; servers that mail was
// migrated from did not all obey it.
const maxUIDL = 255

// POP3UIDLs returns, by UID, the unique-ids that the messages had on a server
// that the mailbox was migrated from (the field P of dovecot-uidlist). POP3 has
// to go on showing them, or clients download all mail again. Nil: none has one.
func (v *View) POP3UIDLs() (map[uint32]string, error) {
	f := v.folder
	f.mu.Lock()
	saved, dir := f.uidls, f.dir
	f.mu.Unlock()
	if !saved {
		return nil, nil
	}
	// They are read again each time: no other session has a use for them.
	list := dovecot.NewUidlist(dir, 0)
	defer list.Close()
	uidls := make(map[uint32]string)
	err := list.Load(func() {}, func(r dovecot.Record) {
		if value, ok := savedUIDL(r); ok {
			uidls[r.UID] = value
		}
	})
	if err != nil && !errors.Is(err, dovecot.ErrNoList) {
		return nil, fmt.Errorf("reading saved UIDLs: %w", err)
	}
	return uidls, nil
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
