package mailbox

import (
	"errors"

	"posthorn/internal/conf"
	"posthorn/internal/quota"
)

// Usage is what a box holds, and what it may.
type Usage struct {
	quota.Usage
	Mailboxes int // folders, INBOX included
	Limit     conf.Quota
}

// Limit says what the box may hold. To be called before the box is used.
func (b *Box) Limit(q conf.Quota) { b.limit = q }

func (b *Box) quota() quota.Box {
	return quota.Box{Disk: b.root.Disk, FD: b.root.FD, Limit: b.limit}
}

// Usage returns what the box holds with all its folders, as far as that has limits:
// nothing else is counted.
func (b *Box) Usage() (u Usage, err error) {
	u.Limit = b.limit
	if b.limit.Mailboxes > 0 {
		folders, err := b.Folders()
		if err != nil {
			return u, err
		}
		u.Mailboxes = len(folders)
	}
	u.Usage, err = b.quota().Usage()
	return u, err
}

// Room returns nil if there is room for messages of so many octets together.
// Errors: ErrOverQuota.
func (b *Box) Room(octets int64, messages int) error {
	err := b.quota().Room(quota.Usage{Bytes: octets, Messages: int64(messages)})
	if errors.Is(err, quota.ErrOver) {
		return ErrOverQuota
	}
	return err
}

// roomFor is Room for drafts.
func (b *Box) roomFor(drafts []*draft) error {
	octets := int64(0)
	for _, d := range drafts {
		octets += max(d.size, 0)
	}
	return b.Room(octets, len(drafts))
}

// roomForFolder returns nil if the box may have another folder.
func (b *Box) roomForFolder() error {
	if b.limit.Mailboxes == 0 {
		return nil
	}
	folders, err := b.Folders()
	if err == nil && int64(len(folders)) >= b.limit.Mailboxes {
		err = ErrOverQuota
	}
	return err
}
