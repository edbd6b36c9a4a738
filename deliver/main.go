// Command deliver puts messages into boxes. It answers queued on deliver.sock,
// asks authd for each request who owns the boxes, and checks nothing else of
// what it is told than that the descriptor holds a message.
//
// Without system-users all boxes belong to vmail: deliver runs as vmail and
// writes them itself. With system-users it runs under a uid of its own that can
// write no box; deliver-box does the writing, a process for each uid with mail,
// which a root starter starts (internal/starter).
//
// With `listen lmtp` it takes messages from other mail servers too, for addresses
// that lead to one box, and answers when the box has the message: nothing goes
// through the queue. Until then a message is a file without a name in memory.
//
// Of Landlock: without system-users it may write in mail-root, and in the homes
// that the users table gives to virtual users elsewhere, as the table was when
// deliver started; a user added later with a home elsewhere gets mail after a
// restart. With system-users it may write nothing.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"posthorn/deliver/internal/box"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/starter"
	"posthorn/internal/tables"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == starter.Word {
		os.Exit(starter.Main())
	}
	daemon.FewProcessors()
	daemon.Main("deliver", open)
}

// open makes the service with the rights that deliver was started with.
func open(d *daemon.Daemon) (daemon.Service, error) {
	peers, err := d.Conf.PeerUIDs("queued")
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	dir, err := directory.Of(d.Conf)
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	s := &service{
		dir: dir, log: d.Log, peers: peers,
		mailRoot: d.Conf.MailRoot, slots: make(chan struct{}, d.Conf.DeliverConcurrency),
	}
	vmail, err := d.Conf.Identity("vmail")
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	s.folders = tables.MailFolders(d.Conf.UsersFile, d.Conf.Domains[0], d.Conf.MailRoot, vmail.UID)
	if d.Root && d.Conf.SystemUsers {
		s.writer, err = openStarter(d, vmail)
	} else {
		s.writer, err = openOwn(d, vmail, s.folders)
	}
	if err != nil {
		return nil, err
	}
	s.lmtp = newLMTP(s, d.Conf)
	for _, line := range d.Conf.Listeners("lmtp") {
		l, err := d.ListenLine(line)
		if err != nil {
			s.lmtp.close()
			return nil, err
		}
		s.lmtp.listeners = append(s.lmtp.listeners, l)
	}
	s.listener, err = d.ListenUnix("deliver")
	return s, err
}

// openOwn is the way without other uids: as vmail, or as the ordinary user
// whose instance this is.
func openOwn(d *daemon.Daemon, vmail conf.Identity, folders tables.Folders) (writer, error) {
	d.Rights.Identity = "vmail"
	if _, err := os.Stat(d.Conf.MailRoot); err != nil {
		// Landlock would let nobody make it later; it may be a disk that is not
		// mounted yet.
		return nil, fmt.Errorf("mail-root: %w: expected a folder of vmail's", err)
	}
	d.Rights.Write = folders.Of(vmail.UID, d.Conf.MailRoot)
	return &own{uid: vmail.UID, deliverer: box.New(d.Disk, d.Conf.Node)}, nil
}

// openStarter starts the root starter; deliver itself gives root away.
func openStarter(d *daemon.Daemon, vmail conf.Identity) (writer, error) {
	d.Rights.Identity = "deliver"
	s, err := starter.Start(starter.Config{
		Program: filepath.Join(d.Conf.Libexec, "deliver-box"),
		Args:    []string{"-node", d.Conf.Node, "-landlock", d.Conf.Landlock},
		MinUID:  d.Conf.MinUID,
		Vmail:   starter.Identity{UID: vmail.UID, GID: vmail.GID},
		Homes:   d.Conf.CreateHomes,
	})
	if err != nil {
		return nil, err
	}
	return &others{starter: s}, nil
}
