package main

import (
	"context"
	"net"
	"slices"
	"strings"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/guard"
)

// local is what submit.sock has of its own.
func (s *service) local() *guard.Local {
	return &guard.Local{
		Admit:  s.admit,
		Origin: func() string { return s.conf.Load().Domains[0] },
		Verify: s.verify,
	}
}

// admit takes any user's mail, but not that of our own daemons: one that a
// stranger has taken over shall send nothing.
func (s *service) admit(uid int) (reason string) {
	if slices.Contains(s.daemons, uid) {
		return "daemons submit no mail"
	}
	return ""
}

// daemonUIDs returns the uids that may not submit. In an ordinary user's
// instance, whose daemons have his uid, there are none.
func daemonUIDs(c *conf.Config) ([]int, error) {
	if c.Private() {
		return nil, nil
	}
	uids, err := c.PeerUIDs("smtpd", "queued", "queue-remote", "deliver", "imapd", "pop3d", "authd", "vmail")
	return slices.DeleteFunc(uids, func(uid int) bool { return uid == 0 }), err
}

// verify says where mail for an address goes, one that another host judges too.
func (s *service) verify(ctx context.Context, to addr.Address) (string, error) {
	r, err := s.authd.Resolve(ctx, to)
	if err != nil {
		return "", err
	}
	var ways []string
	for _, t := range r.Targets {
		ways = append(ways, string(t.Kind)+" "+t.Value)
	}
	return strings.Join(ways, ", "), nil
}

// listenLocal makes submit.sock, which every user may reach.
func (s *service) listenLocal(d *daemon.Daemon) error {
	l, err := d.ListenPublic("submit")
	if err != nil {
		return err
	}
	s.ports = append(s.ports, port{s.newGuard(submit, d.Conf.Hostname, nil), []net.Listener{l}})
	return nil
}
