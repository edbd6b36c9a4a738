package login

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"os"

	"posthorn/internal/attr"
	"posthorn/internal/daemon"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// Returner is a Protocol whose clients can come back from a session and log in once
// more, as RFC 8437 has it.
type Returner interface {
	// Resume is Begin for such a client: it has been greeted.
	Resume(c *Conn) Dialogue
}

// openBack makes the socket for clients that come back, if the protocol has such.
func (s *Server) openBack(d *daemon.Daemon) (err error) {
	if _, ok := s.proto.(Returner); !ok {
		return nil
	}
	if s.backPeers, err = d.Conf.PeerUIDs("vmail"); err != nil {
		return daemon.BadConfig(err)
	}
	s.back, err = d.ListenUnix(s.proto.Service() + "-return")
	return err
}

// serveBack takes clients back until ctx is done.
func (s *Server) serveBack(ctx context.Context) error {
	name := s.proto.Service() + "-return"
	server := &sock.Server{
		Name: name, Proto: "posthorn-session/1", Allow: s.backPeers, Log: s.log,
		Handle: func(_ context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
			return s.takeBack(ctx, req, f), nil
		},
	}
	if err := server.Serve(ctx, s.back); err != nil {
		return fmt.Errorf("accept %s: %w", name, err)
	}
	return nil
}

// takeBack answers one request; done means that the client is this process's again.
func (s *Server) takeBack(ctx context.Context, req attr.List, file *os.File) attr.List {
	c, err := s.returned(req, file)
	if err != nil {
		return sock.Reply(verdict.Of(err)) // the session logs it
	}
	s.mu.Lock()
	s.early[c] = struct{}{}
	s.mu.Unlock()
	s.conns.Add(1)
	s.lot.Run(func() { s.serve(ctx, c) })
	return sock.Reply(verdict.Of(nil))
}

// returned makes a Conn of a client that comes back. Nothing of what is known of it
// is the session's word: the address of a plain one is the kernel's, that of a
// relayed one, and its TLS, are the relay's, which goes on below.
func (s *Server) returned(req attr.List, file *os.File) (*Conn, error) {
	if file == nil {
		return nil, notBack("return without a descriptor")
	}
	defer file.Close()
	sid := req.Get("sid")
	pending, err := base64.StdEncoding.DecodeString(req.Get("pending"))
	if err != nil || req.Get("request") != "return" || len(pending) > bufferSize {
		return nil, notBack("return makes no sense")
	}
	nc, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	c, err := s.again(nc, sid)
	if err != nil {
		nc.Close()
		return nil, err
	}
	c.in.put(pending)
	return c, nil
}

// notBack is why a client cannot come back; its session says goodbye.
func notBack(text string) error { return verdict.Fail(verdict.Later, "4.3.5", text, nil) }

// again finds out who the client behind nc is, and counts it.
func (s *Server) again(nc net.Conn, sid string) (*Conn, error) {
	below := s.relayOf(sid)
	var client netip.Addr
	switch nc.LocalAddr().Network() {
	case "tcp":
		client, below = clientOf(nc), nil
	case "unix":
		if below == nil {
			return nil, notBack("no relay of that client")
		}
		client = below.ip
	default:
		return nil, notBack("descriptor is no stream")
	}
	sk, err := newSocket(nc.(stream))
	if err != nil {
		return nil, err
	}
	c := newConn(s, entry{service: s.proto.Service()}, sk, client)
	c.resumed = true
	if below != nil {
		c.sid, c.below = sid, below.client
		if s.ride(below, c) {
			c.ridden = below
		}
	}
	if c.ridden != nil {
		return c, nil
	}
	set := s.settings.Load()
	if why := s.limits.enter(client, set.connections, set.perClient); why != "" {
		return nil, notBack(why)
	}
	return c, nil
}

// ride reports whether c, which came back through r, is counted with it. One at a
// time is: a session cannot make up more.
func (s *Server) ride(r *relay, c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.rider != nil {
		return false
	}
	r.rider = c
	return true
}

// alight makes room for another one in place of c.
func (s *Server) alight(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.ridden != nil && c.ridden.rider == c {
		c.ridden.rider = nil
	}
}

// relayOf returns the relay whose client has the name sid, or nil.
func (s *Server) relayOf(sid string) *relay {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.relays {
		if r.sid == sid {
			return r
		}
	}
	return nil
}
