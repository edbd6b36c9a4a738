// Package mailbox is what the session programs see of a user's mail: the
// folders of a Maildir++, their messages with UIDs and flags, and the changes
// that others make meanwhile.
//
// The truth is in files that Dovecot reads as well: the message files of cur/
// and new/, whose names carry the flags, `dovecot-uidlist`, `dovecot-keywords`
// and `subscriptions`. A Store keeps one picture in memory of each folder that
// some session looks at; it is made from these files, is dropped when the last
// session leaves, and is never needed for correctness. Other processes may
// deliver, rename and remove at any time.
//
// A Store, and the Boxes it opens, may be used by many goroutines. A View
// belongs to one session and is used by one goroutine at a time; only its
// Changed channel may be waited on elsewhere.
//
// Nothing that these functions return names a local path except errors, which
// are for the log: what a client is told is the session's matter, and the Err
// values below are those that deserve an answer of their own.
package mailbox
