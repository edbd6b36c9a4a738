// Package dovecot reads and writes the control files that Dovecot keeps in a
// Maildir: `dovecot-uidlist` (versions 1 and 3), `dovecot-uidvalidity`,
// `dovecot-keywords`, `subscriptions`, and the dotlocks that guard them.
//
// Whoever changes a uidlist or the keywords of a folder holds the folder's
// `dovecot-uidlist.lock` (Dir.Lock). Reading needs no lock: the files are
// replaced by rename, or appended to a whole line at a time, and a last line
// without its line end is left for the next reading.
//
// What a crash leaves: a lock of a process that is gone (broken by the next
// who wants it), `*.tmp` files (replaced by the next writer), a uidlist whose
// last line is torn (rewritten by the next writer, never appended to).
//
// No function here trusts a file: lines have a limit, names with a slash and
// UIDs that do not rise are passed over and counted as damage.
package dovecot
