// Command imap-session is IMAP after the login (RFC 3501 sections 6.3 and 6.4):
// it gets clients from imapd with one-time tickets and shows each its mailbox.
//
// It runs as the mailboxes' owner, vmail, and may change what is under
// mail-root; with system users each owner's sessions are a child process with
// the owner's rights. The sessions of a process share one picture of each
// folder, so however many clients look at a mailbox, it is in memory once.
//
// A session is a plain struct between two commands, without a goroutine and
// without buffers: Session.Turn executes what has come and returns. Untagged
// updates are written before the tagged answer of each command; only FETCH, STORE,
// SEARCH, SORT and THREAD keep the removals for the next one (RFC 3501 section
// 7.4.1).
package main

import (
	"runtime"

	"posthorn/imapd/internal/realm"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/mailbox"
	"posthorn/internal/session"
)

func main() {
	spare := daemon.Spare()
	session.Main("imap-session", open)
	runtime.KeepAlive(spare)
}

func open(d *daemon.Daemon) (daemon.Service, error) {
	h := newHost(mailbox.New(mailbox.Options{Disk: d.Disk, Node: d.Conf.Node, Shared: d.Conf.MailShared, Index: d.Conf.IndexOf, Log: d.Log}), d.Log)
	h.apply(d.Conf)
	if !d.Conf.SystemUsers { // else one process cannot open the folders of two users
		dir, err := directory.Of(d.Conf)
		if err != nil {
			return nil, daemon.BadConfig(err)
		}
		vmail, err := d.Conf.Identity("vmail")
		if err != nil {
			return nil, daemon.BadConfig(err)
		}
		h.shares = &realm.Shares{Store: h.store, UID: vmail.UID, Root: d.Conf.MailRoot, Boxes: dir.Boxes}
	}
	server, err := session.New(d, "imap", h.open)
	if err != nil {
		return nil, err
	}
	if err := server.GiveBack(d.Conf); err != nil {
		return nil, daemon.BadConfig(err)
	}
	server.OnReload = h.apply
	return server, nil
}
