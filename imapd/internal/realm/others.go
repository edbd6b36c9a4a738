package realm

import (
	"errors"
	"iter"
	"maps"
	"slices"

	"posthorn/imapd/internal/acl"
	"posthorn/internal/mailbox"
)

// boxOf opens the box of somebody who shares something with this user, for as long
// as the session lasts.
func (r *Realm) boxOf(owner string) (*mailbox.Box, error) {
	owners, err := r.Shares.with(r.who())
	if err != nil {
		return nil, err
	}
	if !slices.Contains(owners, owner) {
		return nil, mailbox.ErrNoFolder
	}
	if box := r.foreign[owner]; box != nil {
		return box, nil
	}
	box, err := r.Shares.enter(owner)
	if err != nil {
		return nil, err
	}
	if r.foreign == nil {
		r.foreign = make(map[string]*mailbox.Box)
	}
	r.foreign[owner] = box
	return box, nil
}

// Foreign goes through the boxes of others that are open.
func (r *Realm) Foreign() iter.Seq[*mailbox.Box] { return maps.Values(r.foreign) }

// Close leaves the boxes of others. The views of them are closed before.
func (r *Realm) Close() {
	for _, box := range r.foreign {
		r.Shares.leave(box)
	}
	r.foreign = nil
}

// Visible returns the names of others' mailboxes that this user may see, with an
// error those that could be looked at.
func (r *Realm) Visible() (names []string, err error) {
	if r.Shares == nil {
		return nil, nil
	}
	owners, err := r.Shares.with(r.who())
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, owner := range owners {
		some, err := r.visibleOf(owner)
		names, failed = append(names, some...), append(failed, err)
	}
	return names, errors.Join(failed...)
}

// visibleOf returns those of one owner; of one whose box cannot be opened, none.
func (r *Realm) visibleOf(owner string) (names []string, err error) {
	box, err := r.boxOf(owner)
	if errors.Is(err, mailbox.ErrNoFolder) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	folders, err := box.Folders()
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		if has, err := box.HasState(folder); err != nil || !has {
			continue
		}
		rights, err := r.RightsAt(Place{Box: box, Folder: folder})
		if err != nil && !errors.Is(err, mailbox.ErrNoFolder) {
			return nil, err
		}
		if rights.Has(acl.Lookup) {
			names = append(names, r.foreignName(owner, folder))
		}
	}
	return names, nil
}

// Note is called when the list of rights at a place has changed.
func (r *Realm) Note(p Place) error {
	if r.Shares == nil {
		return nil
	}
	return r.Shares.Note(p.Owner, p.Box)
}
