package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/verdict"
)

// maxTag bounds the tag and the sid that a login side may send.
const maxTag = 128

// parse takes the hand-over out of a request. It closes file; the Conn it
// returns is the caller's to close.
func (s *Server) parse(req attr.List, file *os.File) (*Conn, error) {
	if file == nil {
		return nil, malformed("no descriptor")
	}
	defer file.Close()
	c := &Conn{
		SID: req.Get("sid"), Service: req.Get("service"), Tag: req.Get("tag"), TLS: req.Get("tls") == "yes",
		Offered: strings.Fields(req.Get("mechanisms")),
	}
	if got := req.Get("request"); got != "session" {
		return nil, malformed(fmt.Sprintf("request %.20q", got))
	}
	if c.Service != s.service {
		return nil, malformed(fmt.Sprintf("service %.20q, expected %s", c.Service, s.service))
	}
	if len(c.Tag) > maxTag || len(c.SID) > maxTag {
		return nil, malformed("tag or sid too long")
	}
	var err error
	if c.Client, err = netip.ParseAddr(req.Get("client")); err != nil {
		return nil, malformed("client is no address")
	}
	if c.pending, err = base64.StdEncoding.DecodeString(req.Get("pending")); err != nil {
		return nil, malformed("pending is not base64")
	}
	c.Conn, err = stream(file)
	return c, err
}

// stream makes a connection of a received descriptor.
func stream(file *os.File) (net.Conn, error) {
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, malformed("descriptor is no socket")
	}
	switch conn.(type) {
	case *net.TCPConn:
		return conn, nil
	case *net.UnixConn:
		if conn.LocalAddr().Network() == "unix" { // a stream, not unixgram or unixpacket
			return conn, nil
		}
	}
	conn.Close()
	return nil, malformed("descriptor is no stream")
}

// malformed is a request that no login side of ours sends.
func malformed(what string) error {
	return verdict.Fail(verdict.Later, "4.3.5", "local problem, try again later", errors.New("hand-over: "+what))
}

// redeem exchanges the ticket for what it grants.
func (s *Server) redeem(ctx context.Context, c *Conn, ticket string) error {
	grant, err := s.dir.Redeem(ctx, ticket, c.Service)
	if err != nil {
		return err
	}
	return c.bind(grant)
}

// bind holds grant against what the login side said and what this process may
// do, and gives it to c.
func (c *Conn) bind(grant directory.Grant) error {
	switch {
	case grant.Client.Unmap() != c.Client.Unmap():
		return malformed(fmt.Sprintf("ticket is for %s, client is %s", grant.Client, c.Client))
	case grant.Box.UID != os.Geteuid():
		return verdict.Fail(verdict.Later, "4.3.5", "local problem, try again later",
			fmt.Errorf("mailbox %q belongs to uid %d, this process has %d", grant.Box.Name, grant.Box.UID, os.Geteuid()))
	}
	c.Grant = grant
	return nil
}
