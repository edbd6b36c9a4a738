// Package mailbox is what the session programs see of a user's mail: the
// folders of a Maildir++, their messages with UIDs and flags, and the changes
// that others make meanwhile.
//
// The truth is in files that Dovecot reads as well: the message files of cur/
// and new/, whose names carry the flags, `dovecot-uidlist`, `dovecot-keywords`
// and `subscriptions`. A Store keeps one picture in memory of each folder that
// some session looks at; it is made from these files, is dropped when the last
// session leaves, or none has asked for it for a while and the index has all of it, and
// is never needed for correctness. Other processes may
// deliver, rename and remove at any time.
//
// A Store, and the Boxes it opens, may be used by many goroutines. A View
// belongs to one session and is used by one goroutine at a time; only its
// Changed channel may be waited on elsewhere.
//
// # Locks
//
// Who holds one of these locks takes only what stands behind it:
//
//   - a folder's. It is held over renames, and syncs of the uidlist, but not while
//     a message is read or written, unless one is copied to another file system,
//     nor over the sync of its name, and no client is waited for. Of two folders
//     only one in the attic is locked behind the one whose messages it takes;
//   - the Store's: which folders are open, nothing that waits for a disk but the
//     closing of one;
//   - the sentry's, that of all Lookouts, never behind the Store's or a folder's;
//   - those that nothing of a mailbox stands behind: audience, ledger, memory, and
//     those of package watch.
//
// An audience and a sentry call whom they tell with their lock held, which is why he
// must not wait, nor ask them anything; package watch calls nobody with its own but
// a Poller's Now. The locks of files (the uidlist's dotlock, the index's, that of
// posthorn-state) are taken behind a folder's and held for one step.
//
// Nothing that these functions return names a local path except errors, which
// are for the log: what a client is told is the session's matter, and the Err
// values below are those that deserve an answer of their own.
package mailbox
