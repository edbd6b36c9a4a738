package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/park"
	"posthorn/internal/sock"
	"posthorn/internal/starter"
	"posthorn/internal/tables"
	"posthorn/internal/verdict"
)

// errLimit is the refusal of one session too many for a user.
var errLimit = verdict.Fail(verdict.Later, "4.3.2", "too many sessions of this user, end one or try again later", nil)

// ErrInUse is what an Opener returns when another session has the mailbox to
// itself; it is looked for with errors.Is.
var ErrInUse = errors.New("mailbox is in use")

// Opener prepares a session for c with what the ticket grants, before the client knows that it is logged
// in. It may take a few seconds at most, and neither reads nor writes c. An
// error is answered to the client by the login side as verdict.Of says
// (unclassified: temporary), and its text is logged here.
type Opener func(ctx context.Context, c *Conn, grant directory.Grant) (Session, error)

// Redeemer is the part of the directory that a session program asks.
type Redeemer interface {
	Redeem(ctx context.Context, ticket, service string) (directory.Grant, error)
}

// settings are what a reload changes.
type settings struct {
	total   int // sessions of this process
	perUser int // sessions of one mailbox
}

// Server turns hand-overs into sessions. It implements daemon.Service.
type Server struct {
	// OnReload, unless nil, is given each new configuration, for what the
	// program does with it in sessions that begin later. It is set before Serve.
	OnReload func(*conf.Config)

	service  string
	open     Opener
	log      *evlog.Log
	dir      Redeemer
	feed     *directory.Feed         // is dir, or nil
	listener *net.UnixListener       // nil in a child
	peers    []int                   // uids of the login daemon
	starter  *starter.Starter        // of the children that run the sessions, or nil: they run here
	folders  tables.Folders          // what a child may write
	hold     func() (release func()) // keeps the process while a session runs
	settings atomic.Pointer[settings]
	offered  atomic.Pointer[string] // SASL mechanisms, as the last session had them
	lot      *park.Lot              // where sessions wait
	back     *sock.Client           // of the login daemon, for clients that go back, or nil
	running  sync.WaitGroup         // sessions
	stops    sync.Once              // has the context of the first session end all

	mu    sync.Mutex
	conns map[*Conn]struct{}
	users map[string]int // sessions by mailbox
}

// New makes <service>-session.sock and returns a server whose sessions open
// prepares. Sessions are bounded by conf's Connections in total and
// SessionsPerUser for one mailbox. It is called before rights are dropped.
//
// It sets d's rights: vmail's uid, which may write the mail of virtual users. As
// root with system-users it starts the starter of the children that run the
// sessions, and may write nothing itself.
func New(d *daemon.Daemon, service string, open Opener) (*Server, error) {
	peers, err := d.Conf.PeerUIDs(service + "d")
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	dir, err := directory.Of(d.Conf)
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	s := newServer(service, open, d.Log, dir, peers)
	if s.lot, err = park.Open(); err != nil {
		return nil, err
	}
	s.apply(d.Conf)
	d.Rights.Identity = "vmail"
	if isChild(d) {
		return s, nil
	}
	if s.listener, err = d.ListenUnix(service + "-session"); err != nil {
		return nil, err
	}
	s.register(d)
	vmail, err := d.Conf.Identity("vmail")
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	s.folders = tables.MailFolders(d.Conf.UsersFile, d.Conf.Domains[0], d.Conf.MailRoot, vmail.UID)
	if !d.Root || !d.Conf.SystemUsers {
		d.Rights.Write = s.folders.Of(vmail.UID, d.Conf.MailRoot)
		if d.Conf.IndexDir != "" {
			d.Rights.Write = append(d.Rights.Write, d.Conf.IndexDir)
		}
		if !d.Conf.SystemUsers {
			s.feed = dir.Feed(service)
			s.dir = s.feed
		}
		return s, nil
	}
	if s.starter, err = startStarter(d.Conf); err != nil {
		s.listener.Close()
		return nil, err
	}
	return s, nil
}

// newServer returns a server without a listener and settings.
func newServer(service string, open Opener, log *evlog.Log, dir Redeemer, peers []int) *Server {
	return &Server{
		service: service, open: open, log: log, dir: dir, peers: peers,
		conns: map[*Conn]struct{}{}, users: map[string]int{},
		hold: func() func() { return func() {} },
	}
}

// apply takes the settings of c.
func (s *Server) apply(c *conf.Config) {
	s.settings.Store(&settings{total: c.Connections, perUser: c.SessionsPerUser})
}

// Reload takes new bounds; sessions that run are not ended by them.
func (s *Server) Reload(c *conf.Config) error {
	s.apply(c)
	if s.OnReload != nil {
		s.OnReload(c)
	}
	return nil
}

// Serve answers hand-overs until ctx is done, and returns when the last session
// of this process has ended.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	handle := s.handle
	if s.starter != nil {
		defer s.starter.Close()
		go func() {
			<-s.starter.Done()
			cancel(errors.New("starter has ended"))
		}()
		handle = s.forward
	}
	server := &sock.Server{
		Name: s.service + "-session", Proto: "posthorn-session/1", Allow: s.peers, Log: s.log,
		Handle: func(_ context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
			return handle(ctx, req, f), nil
		},
	}
	if s.feed != nil { // what is said from now on is for who comes after this process
		defer context.AfterFunc(ctx, s.feed.Close)()
	}
	err := server.Serve(ctx, s.listener)
	s.running.Wait()
	s.lot.Close()
	if s.back != nil {
		s.back.Close()
	}
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// handle answers one hand-over; a done answer means that a session runs.
func (s *Server) handle(ctx context.Context, req attr.List, file *os.File) attr.List {
	c, err := s.parse(req, file)
	if err == nil {
		var grant directory.Grant
		if grant, err = s.redeem(ctx, c, req.Get("ticket")); err == nil {
			err = s.start(ctx, c, grant)
		}
		if err != nil {
			c.Close()
		}
	}
	if err != nil {
		return s.refuse(req, err)
	}
	return accepted(c.User)
}

// accepted is the answer for a session that runs.
func accepted(user string) attr.List {
	reply := sock.Reply(verdict.Of(nil))
	reply.Add("user", user)
	return reply
}

// refuse logs why a hand-over did not become a session and returns the answer.
func (s *Server) refuse(req attr.List, err error) attr.List {
	v := verdict.Of(err)
	s.log.SessionRefused(req.Get("sid"), s.service, req.Get("client"), v.Text, err)
	return refusal(v, err)
}

// refusal is the answer for an error.
func refusal(v verdict.Verdict, err error) attr.List {
	switch {
	case errors.Is(err, ErrInUse):
		reply := sock.Reply(verdict.New(verdict.Later, "4.2.0", "mailbox is in use by another session"))
		reply.Add("reason", "in-use")
		return reply
	case errors.Is(err, errLimit):
		reply := sock.Reply(v)
		reply.Add("reason", "limit")
		return reply
	}
	return sock.Reply(v)
}

// start opens a session for c, which is bound to grant, and sets it going.
func (s *Server) start(ctx context.Context, c *Conn, grant directory.Grant) error {
	s.stops.Do(func() { context.AfterFunc(ctx, s.stop) })
	if err := s.enter(ctx, c); err != nil {
		return err
	}
	session, err := s.prepare(ctx, c, grant)
	if err != nil {
		s.leave(c)
		return err
	}
	s.log.SessionOpened(c.SID, s.service, c.Client.String(), c.User, c.TLS)
	release := s.hold()
	ended := func() {
		s.log.SessionClosed(c.SID, s.service, c.User)
		s.leave(c)
		release()
	}
	if err = Visit(s.lot, c, session, s.log, ended); err != nil {
		session.Close()
		ended()
	}
	return err
}

// stop ends the sessions of this process.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.End(ErrStopping)
	}
}

// prepare calls the Opener; a bug in it is a temporary failure.
func (s *Server) prepare(ctx context.Context, c *Conn, grant directory.Grant) (session Session, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Crashed(s.service+"-session", fmt.Sprint(p), string(debug.Stack()))
			err = fmt.Errorf("open session: %v", p)
		}
	}()
	return s.open(ctx, c, grant)
}

// enter counts c's session, unless that would be one too many.
func (s *Server) enter(ctx context.Context, c *Conn) error {
	set := s.settings.Load()
	box := c.box
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return verdict.Fail(verdict.Later, "4.3.2", "server is stopping, try again later", nil)
	case set.total > 0 && len(s.conns) >= set.total:
		return verdict.Fail(verdict.Later, "4.3.2", "too many sessions, try again later", nil)
	case set.perUser > 0 && s.users[box] >= set.perUser:
		return errLimit
	}
	s.conns[c] = struct{}{}
	s.users[box]++
	s.running.Add(1)
	return nil
}

// leave takes back enter.
func (s *Server) leave(c *Conn) {
	box := c.box
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.users[box]--; s.users[box] == 0 {
		delete(s.users, box)
	}
	s.running.Done()
}
