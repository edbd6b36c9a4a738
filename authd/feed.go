package main

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// feeds are the streams on which session programs hear what tickets grant before
// anybody can show them, one for each service: a ticket that was said there is in
// no other place any more. Nobody waits for who listens: where there is no room,
// the ticket is one to be redeemed.
type feeds struct {
	mu   sync.Mutex
	ours map[string]*os.File
}

func newFeeds() *feeds { return &feeds{ours: map[string]*os.File{}} }

// open makes the feed of service, in place of the one before, and returns the end
// that is to listen.
func (f *feeds) open(service string) (*os.File, error) {
	// Both block: a descriptor that does not is watched by Go's poller, which would
	// wake the other process for each packet.
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(service)
	f.ours[service] = os.NewFile(uintptr(fds[0]), "feed")
	return os.NewFile(uintptr(fds[1]), "feed"), nil
}

// drop ends the feed of service; f is locked.
func (f *feeds) drop(service string) {
	if file := f.ours[service]; file != nil {
		file.Close()
		delete(f.ours, service)
	}
}

// say tells what a ticket grants, and whether somebody will hear it.
func (f *feeds) say(service string, grant func() attr.List) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	file := f.ours[service]
	if file == nil {
		return false
	}
	packet, err := attr.Append(nil, grant())
	if err != nil || len(packet) > directory.MaxPacket {
		return false
	}
	switch err = send(file, packet); err {
	case nil:
		return true
	case unix.EAGAIN, unix.EINTR, unix.ENOBUFS, unix.ENOMEM:
		return false
	}
	f.drop(service) // who listened has left
	return false
}

// send sends a packet if there is room for it.
func send(file *os.File, packet []byte) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := raw.Control(func(fd uintptr) {
		serr = unix.Sendto(int(fd), packet, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
	}); err != nil {
		return err
	}
	return serr
}

// listen answers the request `grants`.
func (s *service) listen(req attr.List) (*os.File, error) {
	service := req.Get("service")
	switch {
	case service != "imap" && service != "pop3":
		return nil, malformed("found the service %.20q, expected imap or pop3", service)
	case s.system != nil: // owners' children run as vmail then, who must not take what is root's to hear
		return nil, verdict.Fail(verdict.Never, "5.5.4", "not with system-users", nil)
	}
	return s.feeds.open(service)
}

// issue makes a ticket, which the session program has heard of by the time that
// this returns, or redeems.
func (s *service) issue(a attempt, life time.Duration) (secret string, err error) {
	t := ticket{service: a.service, user: a.user, client: a.client, expires: s.tickets.now().Add(life)}
	secret = newSecret()
	said := s.feeds.say(a.service, func() attr.List { return s.packet(secret, t, life) })
	if said {
		return secret, nil
	}
	return secret, s.tickets.put(secret, t)
}

// packet is what is said of a ticket. A box that cannot be opened gives a list
// that is never sent: whoever redeems the ticket hears why.
func (s *service) packet(secret string, t ticket, life time.Duration) attr.List {
	until, err := directory.Clock()
	if err != nil {
		return nil
	}
	grant, err := s.grant(context.Background(), t)
	if err != nil {
		return nil
	}
	l := append(make(attr.List, 0, len(grant)+5), attr.Attr{Name: "ticket", Value: secret})
	l.AddInt("until", int64(until+life))
	return append(append(l, sock.Reply(verdict.Of(nil))...), grant...)
}
