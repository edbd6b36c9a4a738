package realm

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"posthorn/imapd/internal/acl"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
)

// Shares is what the process knows of mailboxes that users show each other. It is
// safe for concurrent use.
type Shares struct {
	Store *mailbox.Store
	UID   int    // whose the mail is
	Root  string // the folder of the list of who shares what
	Boxes func(ctx context.Context, names []string) ([]directory.Box, error)

	mu   sync.Mutex
	list *mailbox.State          // nil before it was asked for
	open map[whereabouts]*opened // boxes that sessions have open
}

// whereabouts is what authd says of a box: one that was moved since, or may hold another
// amount, is another.
type whereabouts struct {
	mail  string
	limit conf.Quota
}

// opened is a box that several sessions of others than its owner may have.
type opened struct {
	box   *mailbox.Box
	users int
}

// present returns the list as it is at present.
func (h *Shares) present() (*mailbox.State, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.list == nil {
		list, err := h.Store.State(h.Root)
		if err != nil {
			return nil, err
		}
		h.list = list
	}
	_, err := h.list.Load()
	return h.list, err
}

// with returns who shares something with w, sorted. Whether w may see a certain
// mailbox is written in that.
func (h *Shares) with(w acl.Who) ([]string, error) {
	list, err := h.present()
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // nobody has mail yet
	}
	if err != nil {
		return nil, err
	}
	all := list.All(statefile.Share)
	maps.DeleteFunc(all, func(owner, identifiers string) bool {
		return owner == w.User || !slices.ContainsFunc(strings.Fields(identifiers), w.Is)
	})
	return slices.Sorted(maps.Keys(all)), nil
}

// Note enters to whom an owner gives rights in any of his folders. These are looked
// up under the list's lock: of two sessions that changed some, the later one has seen
// both changes.
func (h *Shares) Note(owner string, box *mailbox.Box) error {
	list, err := h.present()
	if err != nil {
		return err
	}
	return list.Update(func(c *statefile.Changes) error {
		identifiers, err := named(box)
		if err != nil {
			return err
		}
		if len(identifiers) == 0 {
			c.Drop(statefile.Share, owner)
		} else {
			c.Set(statefile.Share, owner, strings.Join(identifiers, " "))
		}
		return nil
	})
}

// named returns the identifiers that have rights in folders of a box.
func named(box *mailbox.Box) ([]string, error) {
	folders, err := box.Folders()
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, name := range folders {
		has, err := box.HasState(name)
		if err != nil || !has {
			continue
		}
		state, err := box.State(name)
		if errors.Is(err, mailbox.ErrNoFolder) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for identifier := range state.All(statefile.Rights) {
			found[identifier] = identifier != acl.Owner && !strings.HasPrefix(identifier, "-")
		}
		state.Close()
	}
	maps.DeleteFunc(found, func(_ string, counts bool) bool { return !counts })
	return slices.Sorted(maps.Keys(found)), nil
}

// enter returns the box of another user, which all sessions share: however many look at
// it, it is open once. It must be there and have the same owner on the disk: the folders
// of any other uid are out of reach. The caller leaves it.
func (h *Shares) enter(owner string) (*mailbox.Box, error) {
	boxes, err := h.Boxes(context.Background(), []string{owner})
	if err != nil {
		return nil, err
	}
	if len(boxes) != 1 || boxes[0].Verdict.Err() != nil || boxes[0].UID != h.UID {
		return nil, mailbox.ErrNoFolder
	}
	if _, err := os.Stat(boxes[0].Mail); err != nil {
		return nil, mailbox.ErrNoFolder // to open it would make it
	}
	at := whereabouts{boxes[0].Mail, boxes[0].Quota}
	h.mu.Lock()
	defer h.mu.Unlock()
	if o := h.open[at]; o != nil {
		o.users++
		return o.box, nil
	}
	box, err := h.Store.Open(at.mail)
	if err != nil {
		return nil, err
	}
	box.Limit(at.limit)
	if h.open == nil {
		h.open = make(map[whereabouts]*opened)
	}
	h.open[at] = &opened{box, 1}
	return box, nil
}

// leave closes a box if nobody else has it.
func (h *Shares) leave(box *mailbox.Box) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for at, o := range h.open {
		if o.box != box {
			continue
		}
		if o.users--; o.users == 0 {
			delete(h.open, at)
			box.Close()
		}
		return
	}
}
