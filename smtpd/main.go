package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"path/filepath"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/door"
	"posthorn/internal/spool"
	"posthorn/internal/tlsconf"
)

func main() {
	daemon.FewProcessors()
	daemon.Main("smtpd", open)
}

// open binds the ports and reads the keys with the rights that the process was
// started with.
func open(d *daemon.Daemon) (daemon.Service, error) {
	c := d.Conf
	incoming := filepath.Join(c.Spool, "incoming")
	d.Rights = daemon.Rights{Identity: "smtpd", Read: folders(c.TLS), Write: []string{incoming}}
	if err := prepareSpool(d); err != nil {
		return nil, err
	}
	peers, err := c.PeerUIDs("queued", "root")
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	dir, err := directory.Of(c)
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	client := door.New(c.Socket("queue"), peers...)
	client.Kept = d.Log.Kept
	s := newService(d.Log, dir, queue{spool.Incoming{Dir: incoming, Disk: d.Disk}, client})
	s.conf.Store(c)
	if len(c.TLS) > 0 {
		if s.keys, err = tlsconf.Open(c.TLS, d.Log.KeysRefused); err != nil {
			return nil, daemon.BadConfig(err)
		}
	}
	if s.daemons, err = daemonUIDs(c); err != nil {
		return nil, daemon.BadConfig(err)
	}
	if err := s.listen(d); err != nil {
		return nil, err
	}
	return s, s.listenLocal(d)
}

// queue is both what makes messages and what takes them.
type queue struct {
	spool.Incoming
	*door.Client
}

// New begins a message where queued can name it.
func (q queue) New(env spool.Envelope) (*spool.Draft, error) {
	in, err := q.Client.Incoming(q.Incoming)
	if err != nil {
		return nil, err
	}
	return in.New(env)
}

// Probe tries the door.
func (q queue) Probe(ctx context.Context) error { return q.Client.Probe(ctx, q.Incoming) }

// prepareSpool makes the spool's folders when they are missing, for Landlock can
// only allow what exists.
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

// listen binds the services of the configuration.
func (s *service) listen(d *daemon.Daemon) error {
	var config *tls.Config
	if s.keys != nil {
		config = s.keys.Config()
	}
	users, err := userConfig(d.Conf, config)
	if err != nil {
		return daemon.BadConfig(err)
	}
	for _, kind := range kinds {
		var p port
		for _, l := range d.Listeners(kind.name) {
			if kind.implicit && config == nil {
				s.closeAll()
				return daemon.BadConfig(fmt.Errorf("listen %s %s: found no certificate, expected a tls directive", l.Service, l.Addr))
			}
			nl, err := d.Listen(l.Service, l.Addr)
			if err != nil {
				s.closeAll()
				return err
			}
			p.listeners = append(p.listeners, nl)
		}
		if len(p.listeners) > 0 {
			p.guard = s.newGuard(kind, d.Conf.Hostname, config)
			if kind.submission {
				p.guard = s.newGuard(kind, d.Conf.Hostname, users)
			}
			s.ports = append(s.ports, p)
		}
	}
	return nil
}

// userConfig is config for the services of users, who may have certificates.
func userConfig(c *conf.Config, config *tls.Config) (*tls.Config, error) {
	if config == nil || c.TLSClients == "" {
		return config, nil
	}
	users := config.Clone()
	return users, tlsconf.Clients(users, c.TLSClients)
}

// folders returns where files are, and where those are that they link to: a
// certificate is renewed by a new file of its name.
func folders(files []string) []string {
	var list []string
	for _, f := range files {
		list = append(list, filepath.Dir(f))
		if real, err := filepath.EvalSymlinks(f); err == nil {
			list = append(list, filepath.Dir(real))
		}
	}
	return list
}

// Reload puts a new configuration in force for the connections to come.
func (s *service) Reload(c *conf.Config) error {
	switch {
	case s.keys == nil && len(c.TLS) > 0:
		return fmt.Errorf("reload: a first tls directive needs a restart of smtpd")
	case s.keys != nil && len(c.TLS) == 0:
		return fmt.Errorf("reload: taking the last tls directive away needs a restart of smtpd")
	case s.keys != nil:
		if err := s.keys.Reload(c.TLS); err != nil {
			return fmt.Errorf("reload: %w", err)
		}
	}
	s.conf.Store(c)
	s.authd.Forget()
	return nil
}
