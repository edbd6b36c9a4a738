// Command pop3-session is POP3 after the login (RFC 1939 5 and 6): it gets
// clients from pop3d with one-time tickets and shows each its INBOX.
//
// It runs as the mailboxes' owner, vmail, and may change what is under
// mail-root; with system users each owner's sessions are a child process with
// the owner's rights. A second POP3 session of a box is refused, for as long as
// the first one's process and connection live.
package main

import (
	"posthorn/internal/daemon"
	"posthorn/internal/mailbox"
	"posthorn/internal/session"
)

func main() {
	daemon.FewProcessors()
	session.Main("pop3-session", open)
}

func open(d *daemon.Daemon) (daemon.Service, error) {
	server, _, err := build(d)
	if err != nil {
		return nil, err
	}
	return server, nil
}

// build makes the server and what opens its sessions.
func build(d *daemon.Daemon) (*session.Server, *opener, error) {
	o := &opener{
		store: mailbox.New(mailbox.Options{Disk: d.Disk, Node: d.Conf.Node, Shared: d.Conf.MailShared, Index: d.Conf.IndexOf, Log: d.Log}),
		log:   d.Log,
	}
	o.apply(d.Conf)
	server, err := session.New(d, "pop3", o.open)
	if err != nil {
		return nil, nil, err
	}
	server.OnReload = o.apply
	return server, o, nil
}
