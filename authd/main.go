// Authd is the directory: it alone reads users, aliases and passwords, and
// answers the other daemons on auth.sock.
//
//	resolve  where an address leads
//	box      what belongs to a box: uid, gid, home, Maildir
//	login    is a password right; imap and pop3 get a one-time ticket
//	sasl     the same by a SASL mechanism, in steps
//	redeem   what a ticket stands for
//	maysend  may a user send from an address
//
// doc/protocol/auth.md has the protocol. A table that changes on disk is taken
// at the next request; a broken one is logged and the one before stays in
// force. Tickets, counted failures and remembered passwords live in memory
// only: after a restart a login begins anew, nothing else is lost.
package main

import "posthorn/internal/daemon"

func main() { daemon.Main("authd", open) }
