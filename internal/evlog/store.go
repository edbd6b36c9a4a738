package evlog

// What the session programs say of the folders they serve.

// UIDsDelayed: new messages in the folder got no UID and stay unseen for now.
func (l *Log) UIDsDelayed(folder string, err error) {
	l.event("uids-delayed", "folder", folder, "err", cause(err))
}

// UidlistRepaired: lines of the folder's uidlist could not be read; it was
// written anew and the old one kept as dovecot-uidlist.broken.
func (l *Log) UidlistRepaired(folder string, lines int) {
	l.event("uidlist-repaired", "folder", folder, "lines", number(lines))
}

// SizeCorrected: a file's name told another size than the file has.
func (l *Log) SizeCorrected(folder, file, name string) {
	l.event("size-corrected", "folder", folder, "file", file, "name", name)
}

// FolderUnwatched: the kernel refused to watch the folder, and perhaps others
// after it; they are looked at now and then instead.
func (l *Log) FolderUnwatched(folder string, err error) {
	l.event("folder-unwatched", "folder", folder, "err", cause(err))
}

// FolderUnindexed: the files of an index cannot be reached or written, and perhaps those
// of other folders neither: the folder is served without one, which is slower.
func (l *Log) FolderUnindexed(folder string, err error) {
	l.event("folder-unindexed", "folder", folder, "err", cause(err))
}

// CourierAdopted: the folder had no uidlist but Courier's lists, by which
// messages keep their UIDs; some keywords stand in posthorn-state, for file names
// have letters for 26.
func (l *Log) CourierAdopted(folder string, messages, leftKeywords int) {
	l.event("courier-adopted", "folder", folder, "messages", number(messages), "left-keywords", number(leftKeywords))
}
