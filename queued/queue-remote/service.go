package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/dnsx"
	"posthorn/internal/evlog"
	"posthorn/internal/handover"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// requestTime bounds one request with all its hosts. It is shorter than queued
// waits, so that queued hears the verdicts there are.
const requestTime = 100 * time.Minute

// resolver is what is needed of package dnsx.
type resolver interface {
	LookupHost(ctx context.Context, host string) ([]netip.Addr, dnsx.Meta, error)
	Reload(dnsx.Options) error
}

// service answers queued.
type service struct {
	log      *evlog.Log
	listener *net.UnixListener
	allow    []int
	resolver resolver
	conf     atomic.Pointer[conf.Config]
	slots    chan struct{}
	flights  *flights
	roots    *roots
	pool     *pool
	closing  sync.WaitGroup // farewells to hosts
	allowed  []uint16       // ports that Landlock lets us reach; nil: any
}

func newService(d *daemon.Daemon, l *net.UnixListener, allow []int, r resolver) *service {
	s := &service{
		log: d.Log, listener: l, allow: allow, resolver: r,
		slots:   make(chan struct{}, d.Conf.RemoteConcurrency),
		flights: newFlights(), roots: newRoots(), pool: &pool{idle: keepIdle},
	}
	s.conf.Store(d.Conf)
	return s
}

// Serve answers requests until ctx is done. Conversations are cut then, except
// those whose message is out: they have a few seconds to hear the reply.
func (s *service) Serve(ctx context.Context) error {
	server := &sock.Server{Name: "remote", Proto: handover.RemoteProto, Allow: s.allow, Log: s.log, Handle: s.handle}
	err := server.Serve(ctx, s.listener)
	s.pool.close()
	s.closing.Wait()
	return err
}

// Reload takes timeouts, smarthosts' authorities and resolvers of c from now on.
// It refuses what the confinement of this process would make fail at each try.
func (s *service) Reload(c *conf.Config) error {
	if err := s.within(c); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	if err := s.resolver.Reload(dnsx.Options{Servers: c.Resolvers}); err != nil {
		return err
	}
	s.roots.forget()
	s.conf.Store(c)
	return nil
}

// within says why c asks for more than this process may do.
func (s *service) within(c *conf.Config) error {
	for _, port := range ports(c, loadRoutes(c)) {
		if s.allowed != nil && !slices.Contains(s.allowed, port) {
			return fmt.Errorf("connecting to port %d needs a restart of queue-remote", port)
		}
	}
	for _, h := range c.Smarthosts {
		if _, err := readPool(h.CAFile); h.CAFile != "" && err != nil {
			return fmt.Errorf("%s: ca: %w", h.Pos, err)
		}
	}
	return nil
}

// handle answers one request. It owns f.
func (s *service) handle(ctx context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
	if f != nil {
		defer f.Close()
	}
	r, err := handover.DecodeRemote(req)
	if err == nil {
		err = checkFile(f, r.Offset, r.Size)
	}
	if err != nil {
		s.log.SendRefused(req.Get("id"), err)
		return sock.Reply(verdict.New(verdict.Later, "4.3.5", err.Error())), nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return sock.Reply(verdict.New(verdict.Later, "4.3.2", "the mail system is stopping")), nil
	}
	return s.send(ctx, r, io.NewSectionReader(f, r.Offset, r.Size)).Encode(), nil
}

// checkFile holds that the descriptor is what queued says: a regular file, open
// for reading only, long enough.
func checkFile(f *os.File, offset, size int64) error {
	if f == nil {
		return errors.New("found no descriptor, expected the message's file")
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || offset > info.Size() || size > info.Size()-offset {
		return fmt.Errorf("found a file of mode %v and %d bytes, expected a regular one with %d bytes at %d", info.Mode(), info.Size(), size, offset)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var flags int
	var ferr error
	if err := raw.Control(func(fd uintptr) { flags, ferr = unix.FcntlInt(fd, unix.F_GETFL, 0) }); err != nil {
		return err
	}
	if ferr != nil {
		return ferr
	}
	if flags&unix.O_ACCMODE != unix.O_RDONLY {
		return errors.New("found a descriptor open for writing, expected one for reading only")
	}
	return nil
}
