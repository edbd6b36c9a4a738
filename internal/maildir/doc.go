// Package maildir knows the files of a Maildir: what their names mean, how a
// folder is made and listed, and how a message is delivered durably.
//
// It assigns no UIDs and takes no locks: a delivery ends in new/, the next
// session does the rest. Folders are opened beneath a root that the caller
// trusts, without following a symbolic link on the way; from there on only
// single names relative to an open folder are used.
//
// What a delivery leaves when the machine stops, step by step:
//
//	tmp/ file, not synced    nothing was answered; removed after 36 hours
//	tmp/ file, synced        the same
//	name in new/, not synced nothing was answered; the name may be there or not
//	name in new/, synced     answered; the file is whole
//
// A request that comes again (Message.Try of 2 or more) looks for the id in
// new/ and cur/ first, so the third row makes no second copy.
package maildir
