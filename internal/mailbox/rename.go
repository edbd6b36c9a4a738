package mailbox

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/id"
)

// Delete removes the folder name with its messages; folders below it stay (RFC
// 3501 6.3.4). It is gone for good when Delete returns nil. Sessions that have
// it selected get ErrNoFolder. Errors: ErrNoFolder, ErrBadName (INBOX).
func (b *Box) Delete(name string) error {
	disk, err := diskName(name)
	if err != nil || disk == "." {
		return ErrBadName
	}
	if !b.isMaildir(disk) {
		return ErrNoFolder
	}
	if kept, err := b.stow(disk); kept || err != nil {
		return err
	}
	tmp, err := b.openTmp()
	if err != nil {
		return fmt.Errorf("deleting folder: %w", err)
	}
	defer unix.Close(tmp)
	if err := b.all([]move{{disk, "tmp/" + trash + id.New()}}); err != nil {
		return err
	}
	// The folder is gone; what cannot be removed now, or not before a crash, is
	// met by the next Delete.
	_ = b.clearTrash(tmp)
	return nil
}

// take gives a folder another name on the disk and ends its sessions.
func (b *Box) take(disk, to string) error {
	if !b.isMaildir(disk) {
		return ErrNoFolder
	}
	f, err := b.store.enter(b.root, disk)
	if err != nil {
		return err
	}
	defer b.store.leave(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	err = b.root.Disk.RenameNewAt(b.root.FD, disk, b.root.FD, to)
	switch {
	case gone(err):
		return ErrNoFolder
	case errors.Is(err, unix.EEXIST):
		return ErrExists
	case err != nil:
		return fmt.Errorf("renaming folder: %w", err)
	}
	f.end(ErrNoFolder)
	b.moveIndex(disk, to)
	return nil
}

// Rename gives the folder name another name, and so all below it (RFC 3501
// 6.3.5). With INBOX its messages move to the new folder. Sessions that have
// one of the folders selected get ErrNoFolder. Errors: ErrNoFolder, ErrExists,
// ErrBadName.
func (b *Box) Rename(name, to string) error {
	if strings.EqualFold(name, inbox) {
		return b.renameInbox(to)
	}
	moves, err := b.moves(name, to)
	if err != nil {
		return err
	}
	return b.all(moves)
}

// all makes moves durable, or takes them back.
func (b *Box) all(moves []move) error {
	for i, m := range moves {
		if err := b.take(m.from, m.to); err != nil {
			return errors.Join(err, b.undo(moves[:i]))
		}
	}
	if err := b.root.Disk.SyncDirAt(b.root.FD, b.root.Path); err != nil {
		return errors.Join(fmt.Errorf("renaming folder: %w", err), b.undo(moves))
	}
	return nil
}

// move is the renaming of one folder on the disk.
type move struct{ from, to string }

// moves lists what a Rename does to the folder and those below it.
func (b *Box) moves(name, to string) ([]move, error) {
	if _, err := diskName(name); err != nil {
		return nil, ErrNoFolder
	}
	if !creatable(to) || strings.HasPrefix(to, name+".") { // it cannot move below itself
		return nil, ErrBadName
	}
	folders, err := b.Folders()
	if err != nil {
		return nil, err
	}
	var moves []move
	for _, old := range folders[1:] { // INBOX is below nothing
		below, ok := strings.CutPrefix(old, name)
		if !ok || below != "" && below[0] != '.' {
			continue
		}
		from, _ := diskName(old) // Folders gives only names that have one
		disk, err := diskName(to + below)
		if err != nil {
			return nil, err
		}
		if disk == "." || b.isMaildir(disk) {
			return nil, ErrExists
		}
		moves = append(moves, move{from, disk})
	}
	if moves == nil {
		return nil, ErrNoFolder
	}
	return moves, nil
}

// undo takes moves back that are not to stand.
func (b *Box) undo(moves []move) (err error) {
	for _, m := range moves {
		err = errors.Join(err, b.take(m.to, m.from))
	}
	return err
}

// renameInbox moves INBOX's messages to a new folder and leaves INBOX empty; the
// folders below it stay.
func (b *Box) renameInbox(to string) error {
	if err := b.Create(to); err != nil {
		return err
	}
	v, err := b.Select(inbox, false)
	if err != nil {
		return errors.Join(err, b.Delete(to))
	}
	defer v.Close()
	seqs := make([]int, v.Len())
	for i := range seqs {
		seqs[i] = i + 1
	}
	if len(seqs) == 0 {
		return nil
	}
	_, copied, _, err := v.CopyToMove(b, to, everything(), seqs)
	if err != nil && !errors.Is(err, ErrExpunged) {
		return errors.Join(err, b.Delete(to))
	}
	return v.RemoveMoved(copied, b)
}
