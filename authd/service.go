package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"sync/atomic"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
)

// service is the daemon at work.
type service struct {
	log      *evlog.Log
	listener *net.UnixListener
	peers    peers
	vmail    conf.Identity
	settings atomic.Pointer[settings]
	system   *system // nil where system users have no mail
	tickets  *tickets
	feeds    *feeds
	guard    *guard
	pool     *pool
	verified *verified

	askToken  func(ctx context.Context, token string) (user string, err error)
	tokens    *pool // of token helpers
	exchanges *exchanges
	nonce     func() string // of SCRAM

	// computed, when set, is told the kind of each hash that is computed.
	computed func(kind string)
}

// peers are the uids that may connect, and those that may ask for more than
// names.
type peers struct{ all, login, redeem []int }

// open reads the tables, so that a broken one ends the start, and makes
// auth.sock.
func open(d *daemon.Daemon) (daemon.Service, error) {
	s, err := newService(d.Conf, d.Log)
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	s.pool.busy = processors()
	d.Rights = s.rights(d.Conf) // the socket is its identity's
	if s.listener, err = d.ListenUnix("auth"); err != nil {
		return nil, err
	}
	return s, nil
}

// newService makes everything but the socket. Its errors are ones that a
// restart does not cure.
func newService(c *conf.Config, log *evlog.Log) (*service, error) {
	s := &service{log: log, tickets: newTickets(), feeds: newFeeds(), verified: newVerified(),
		guard: newGuard(c.AuthFailures, c.AuthWindow), pool: newPool(c.AuthWorkers),
		tokens: newPool(tokensAtOnce), exchanges: newExchanges(), nonce: newNonce}
	var err error
	if s.vmail, err = c.Identity("vmail"); err != nil {
		return nil, err
	}
	if s.peers, err = peersOf(c); err != nil {
		return nil, err
	}
	s.askToken = func(ctx context.Context, token string) (string, error) {
		return runTokenHelper(ctx, c.TokenHelper, token)
	}
	if c.TokenHelper != "" {
		if _, err := exec.LookPath(c.TokenHelper); err != nil {
			return nil, fmt.Errorf("token-helper: %w", err)
		}
	}
	if c.SystemUsers {
		program, err := exec.LookPath("getent")
		if err != nil {
			return nil, fmt.Errorf("system-users yes: %w", err)
		}
		s.system = newSystem(program, c.MinUID)
	}
	set, err := s.load(c)
	if err != nil {
		return nil, err
	}
	s.settings.Store(set)
	if c.Postmaster == "" {
		if _, ok := set.aliases.Get().Lookup("postmaster"); !ok {
			log.NoPostmaster(c.File)
		}
	}
	return s, nil
}

func peersOf(c *conf.Config) (p peers, err error) {
	if p.login, err = c.PeerUIDs("smtpd", "imapd", "pop3d"); err != nil {
		return p, err
	}
	if p.redeem, err = c.PeerUIDs("vmail", "root", "authd"); err != nil {
		return p, err
	}
	others, err := c.PeerUIDs("queued", "deliver")
	if err != nil {
		return p, err
	}
	p.all = append(append(append(p.all, p.login...), p.redeem...), others...)
	return p, nil
}

// rights are authd's: the folders of the tables, for editors replace the files
// in them, and what getent needs.
func (s *service) rights(c *conf.Config) daemon.Rights {
	r := daemon.Rights{Identity: "authd", Read: []string{filepath.Dir(c.UsersFile), filepath.Dir(c.AliasesFile)}}
	if s.system != nil {
		// What else getent asks, sockets and networks, is for nsswitch.conf(5)
		// to say.
		r.Read = append(r.Read, "/etc", "/run/systemd/userdb", "/var/lib/sss", "/var/lib/extrausers")
		r.Execute = []string{s.system.program, "/usr/lib", "/usr/lib64", "/lib", "/lib64"}
		r.AnyTCP = true
	}
	if c.TokenHelper != "" {
		// A helper is this process as far as rights go. It may be written in any
		// language and ask whoever gives the tokens.
		r.Read = append(r.Read, "/etc")
		r.Execute = append(r.Execute, c.TokenHelper, "/usr", "/bin", "/lib", "/lib64")
		r.AnyTCP = true
	}
	return r
}

// Serve answers requests until ctx is done.
func (s *service) Serve(ctx context.Context) error {
	server := &sock.Server{Name: "auth", Proto: directory.Proto, Allow: s.peers.all, Log: s.log, Handle: s.handle}
	return server.Serve(ctx, s.listener)
}

// Reload reads the tables of a new configuration; the old ones stay in force
// unless all of the new are good.
func (s *service) Reload(c *conf.Config) error {
	set, err := s.load(c)
	if err != nil {
		return err
	}
	s.settings.Store(set)
	s.guard.set(c.AuthFailures, c.AuthWindow)
	if s.system != nil {
		s.system.forget()
	}
	return nil
}
