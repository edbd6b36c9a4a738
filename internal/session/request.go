package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/verdict"
)

// maxTag bounds the tag and the sid that a login side may send.
const maxTag = 128

// parse takes the hand-over out of a request. The Conn it returns, whose stream
// is file, is the caller's to close; after an error file is closed.
func (s *Server) parse(req attr.List, file *os.File) (*Conn, error) {
	if file == nil {
		return nil, malformed("no descriptor")
	}
	c, err := s.read(req)
	if err == nil {
		err = checkStream(file)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	c.Stream = file
	return c, nil
}

// read takes what a request says, with no word of it but what is kept: a Conn
// lives long.
func (s *Server) read(req attr.List) (*Conn, error) {
	c := &Conn{
		SID: strings.Clone(req.Get("sid")), Service: s.service, Tag: strings.Clone(req.Get("tag")), TLS: req.Get("tls") == "yes",
		Offered: s.offer(req.Get("mechanisms")), back: s.back,
	}
	if got := req.Get("request"); got != "session" {
		return nil, malformed(fmt.Sprintf("request %.20q", got))
	}
	if got := req.Get("service"); got != s.service {
		return nil, malformed(fmt.Sprintf("service %.20q, expected %s", got, s.service))
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
	return c, nil
}

// offer returns a copy of list, the same for all sessions in a row that have it:
// nearly all have.
func (s *Server) offer(list string) string {
	last := s.offered.Load()
	if last == nil || *last != list {
		copied := strings.Clone(list)
		last = &copied
		s.offered.Store(last)
	}
	return *last
}

// checkStream refuses what is not a stream socket that does not block: the
// deadlines of a file hold for nothing else.
func checkStream(file *os.File) error {
	kind, family := 0, 0
	err := control(file, func(fd int) (err error) {
		if kind, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err == nil {
			family, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		}
		return err
	})
	switch {
	case err != nil:
		return malformed("descriptor is no socket")
	case kind != unix.SOCK_STREAM, family != unix.AF_INET && family != unix.AF_INET6 && family != unix.AF_UNIX:
		return malformed("descriptor is no stream")
	case file.SetReadDeadline(time.Time{}) != nil:
		return malformed("descriptor blocks")
	}
	return nil
}

// control runs a system call on file.
func control(file *os.File, call func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var cerr error
	err = raw.Control(func(fd uintptr) { cerr = call(int(fd)) })
	return errors.Join(err, cerr)
}

// malformed is a request that no login side of ours sends.
func malformed(what string) error {
	return verdict.Fail(verdict.Later, "4.3.5", "local problem, try again later", errors.New("hand-over: "+what))
}

// redeem exchanges the ticket for what it grants.
func (s *Server) redeem(ctx context.Context, c *Conn, ticket string) (directory.Grant, error) {
	grant, err := s.dir.Redeem(ctx, ticket, c.Service)
	if err != nil {
		return grant, err
	}
	return grant, c.bind(grant)
}

// bind holds grant against what the login side said and what this process may
// do, and keeps of it in c whose session it is.
func (c *Conn) bind(grant directory.Grant) error {
	switch {
	case grant.Client.Unmap() != c.Client.Unmap():
		return malformed(fmt.Sprintf("ticket is for %s, client is %s", grant.Client, c.Client))
	case grant.Box.UID != os.Geteuid():
		return verdict.Fail(verdict.Later, "4.3.5", "local problem, try again later",
			fmt.Errorf("mailbox %q belongs to uid %d, this process has %d", grant.Box.Name, grant.Box.UID, os.Geteuid()))
	}
	c.User = strings.Clone(grant.User)
	if c.box = c.User; grant.Box.Name != c.User {
		c.box = strings.Clone(grant.Box.Name)
	}
	return nil
}
