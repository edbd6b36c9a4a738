// Queue-remote sends mail to other hosts by SMTP.
//
// It answers requests on remote.sock, protocol posthorn-remote/1 (package
// handover): a message as a descriptor, hosts in the order in which they are to
// be tried, recipients; and returns a verdict for each recipient. Which hosts
// those are, when to try again and what to tell the sender is queued's to
// decide. Queue-remote keeps nothing: it opens no mail by name, reads the
// message with pread from the descriptor alone, and credentials come with the
// request.
//
// # What it does with a message
//
// Every address of every host is tried in turn, IPv4 before IPv6, until one
// takes part in a transaction. A host that cannot be reached, greets with 4xx or
// 5xx, leaves with 421 or does not come up to what TLS policy and login ask for
// is passed over; a 5xx greeting says nothing about a recipient, and so is
// temporary. A recipient refused with 4xx is offered to one more address
// (RFC 5321 5.1), one refused with 5xx is done with.
//
// Once the whole message has gone out and no reply came back, nobody can know
// whether the host has it: the verdict is later, no other host is tried now, and
// the next try may deliver a second copy (RFC 5321 4.5.3.2.6, RFC 1047). This
// is the one window for duplicates here.
//
// # What it changes
//
// Nothing, with two exceptions. 8-bit text for a host without 8BITMIME is
// encoded, part by part (package recode); a DKIM signature does not survive
// that, but the mail arrives. Where it cannot be done the recipient gets a 5.6.3.
// Stray CR, LF and NUL bytes, which smtpd lets nobody send, are repaired. A
// message or address that needs SMTPUTF8 is refused with 5.6.7 by a host
// without. Nothing is ever sent raw to a host that did not offer to take it.
package main

import (
	"path/filepath"
	"strconv"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/dnsx"
	"posthorn/internal/priv"
	"posthorn/internal/tables"
)

// landlockTCP is the first ABI of Landlock with rules for TCP.
const landlockTCP = 4

func main() { daemon.Main("queue-remote", open) }

// open makes the service with the rights that the process was started with.
func open(d *daemon.Daemon) (daemon.Service, error) {
	r, err := dnsx.New(dnsx.Options{Servers: d.Conf.Resolvers})
	if err != nil {
		return nil, err
	}
	routes := loadRoutes(d.Conf)
	d.Rights = daemon.Rights{
		Identity: "queue-remote",
		Read:     readable(d.Conf),
		Connect:  append(r.Ports(), ports(d.Conf, routes)...),
		AnyTCP:   routes.Len() > 0, // a table in use may get other ports any time
	}
	allow, err := d.Conf.PeerUIDs("queued")
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	l, err := d.ListenUnix("remote")
	if err != nil {
		return nil, err
	}
	s := newService(d, l, allow, r)
	if d.Conf.Landlock != "no" && priv.LandlockABI() >= landlockTCP && !d.Rights.AnyTCP {
		s.allowed = d.Rights.Connect
	}
	return s, nil
}

// readable are the files that are needed after the start: resolv.conf and the
// ports of routes for a reload, and certificates of authorities. Where
// /etc/resolv.conf is replaced by a new file, Landlock hides that one and a
// reload is refused until a restart.
func readable(c *conf.Config) []string {
	list := []string{
		"/etc/resolv.conf", "/run/systemd/resolve",
		filepath.Dir(c.TransportFile),
		"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
	}
	for _, s := range c.Smarthosts {
		if s.CAFile != "" { // its folder: a rule for a file is void once that is replaced
			list = append(list, filepath.Dir(s.CAFile))
		}
	}
	return list
}

// ports are those of the hosts, as far as configuration and routes name them.
func ports(c *conf.Config, routes *tables.Transport) []uint16 {
	list := []uint16{25, 465, 587}
	words := append(routes.Ports(), c.RemotePort)
	for _, s := range c.Smarthosts {
		words = append(words, s.Port)
	}
	for _, w := range words {
		if n, err := strconv.ParseUint(w, 10, 16); err == nil {
			list = append(list, uint16(n))
		}
	}
	return list
}

// loadRoutes reads the transport table for its ports. What is wrong with it is
// queued's to say.
func loadRoutes(c *conf.Config) *tables.Transport {
	t, err := tables.LoadTransport(c.TransportFile)
	if err != nil {
		return new(tables.Transport)
	}
	return t
}
