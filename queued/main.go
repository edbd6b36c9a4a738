// Queued keeps the queue: it takes messages in, has them delivered to boxes and
// sent to other hosts, tries again, tells senders of delays and failures.
//
// A message comes in over queue.sock as the descriptor of a spool file (package
// door) or is found in the spool; what is durable and where is the spool's
// matter (package spool, doc/spool.md). Queued asks authd where each recipient
// leads, once, and records it; it hands boxes to deliver and addresses of other
// hosts to queue-remote (package handover), each with a descriptor to read. A
// verdict for each target comes back: done, later or never. The message leaves
// the queue when every target has a final one and every notice that its sender
// is owed is a message of its own.
//
// # Parts
//
// The schedule (internal/schedule) says what is tried when and holds back what
// goes to a destination that is full or does not answer. A pass (pass.go) is
// one goroutine with one message from there until it rests again; it alone
// writes to the message. Routes of other hosts come from internal/route, the
// text of notices from internal/bounce.
//
// The directories, deliver and queue-remote may come and go at any time: what
// was handed to them and not answered counts as a try, what could not be handed
// over does not.
package main

import (
	"path/filepath"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/dnsx"
	"posthorn/internal/handover"
	"posthorn/internal/spool"
)

func main() {
	daemon.FewProcessors()
	daemon.Main("queued", open)
}

// open makes the service with the rights that the process was started with.
func open(d *daemon.Daemon) (daemon.Service, error) {
	resolver, err := dnsx.New(dnsx.Options{Servers: d.Conf.Resolvers})
	if err != nil {
		return nil, err
	}
	d.Rights = daemon.Rights{
		Identity: "queued",
		Read:     readable(d.Conf),
		Write:    []string{d.Conf.Spool},
		Connect:  resolver.Ports(),
	}
	allow, err := d.Conf.PeerUIDs("smtpd")
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	if err := prepareSpool(d); err != nil {
		return nil, err
	}
	q, err := newQueue(d.Conf, d.Disk, d.Log, resolver)
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	if err := q.connect(d.Conf); err != nil {
		return nil, daemon.BadConfig(err)
	}
	if q.listener, err = d.ListenUnix("queue"); err != nil {
		return nil, err
	}
	if err := q.listenMailq(d); err != nil {
		return nil, err
	}
	q.allow = allow
	q.reloadDNS = func() error { return resolver.Reload(dnsx.Options{Servers: d.Conf.Resolvers}) }
	q.register(d.Control)
	return q, nil
}

// connect sets the clients of the other daemons, each with the uids that its
// server may have.
func (q *queue) connect(c *conf.Config) error {
	local, err := c.PeerUIDs("deliver", "vmail", "root")
	if err != nil {
		return err
	}
	remote, err := c.PeerUIDs("queue-remote", "root")
	if err != nil {
		return err
	}
	if q.directory, err = directory.Of(c); err != nil {
		return err
	}
	q.deliver = handover.NewDeliverClient(c.Socket("deliver"), local)
	q.remote = handover.NewRemoteClient(c.Socket("remote"), remote)
	return nil
}

// prepareSpool makes the folders of the spool for the users and groups of the
// configuration, when the process may.
func prepareSpool(d *daemon.Daemon) error {
	id, err := d.Conf.Identity("queued")
	if err != nil {
		return daemon.BadConfig(err)
	}
	incoming, err := d.Conf.Group("incoming")
	if err != nil {
		return daemon.BadConfig(err)
	}
	return spool.Prepare(d.Conf.Spool, d.Disk, spool.Owner{UID: id.UID, GID: id.GID, Incoming: incoming})
}

// readable are the folders of what is read after the start: tables and secrets
// change by a rename, after which a rule for the file itself would be void.
func readable(c *conf.Config) []string {
	list := []string{"/etc/resolv.conf", "/run/systemd/resolve", filepath.Dir(c.TransportFile)}
	for _, s := range c.Smarthosts {
		if len(s.Login) > 1 {
			list = append(list, filepath.Dir(s.Login[1:]))
		}
	}
	return list
}
