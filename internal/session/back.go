package session

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/sock"
)

// returnTimeout is how long the login side may take to take a client back.
const returnTimeout = 10 * time.Second

// GiveBack lets sessions give their clients back to the login daemon of the service,
// over <service>-return.sock. A child cannot: it reaches no such socket. It is called
// before Serve.
func (s *Server) GiveBack(c *conf.Config) error {
	if s.listener == nil || s.starter != nil {
		return nil
	}
	peers, err := c.PeerUIDs(s.service+"d", "root")
	if err == nil {
		s.back = &sock.Client{Path: c.Socket(s.service + "-return"), Proto: "posthorn-session/1", Timeout: returnTimeout, Peers: peers}
	}
	return err
}

// CanReturn reports whether Return is possible.
func (c *Conn) CanReturn() bool { return c.back != nil }

// Return gives the client back to the login daemon, with what was read of its next
// command, at most 4 KiB. After nil the session says and reads nothing any more;
// closing c leaves the client alone. After an error the client is the session's still,
// or cut off where it is not known whose it is.
func (c *Conn) Return(read []byte) error {
	file, err := c.dup()
	if err != nil {
		return err
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(context.Background(), returnTimeout)
	defer cancel()
	reply, err := c.back.Do(ctx, attr.List{
		{Name: "request", Value: "return"},
		{Name: "sid", Value: c.SID},
		{Name: "pending", Value: base64.StdEncoding.EncodeToString(append(read, c.pending...))},
	}, file)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			// Nobody knows whether the login daemon has it: it may answer at any
			// moment, so this process says nothing any more.
			c.shut()
		}
		return err
	}
	v, err := sock.Verdict(reply)
	if err != nil {
		return err
	}
	return v.Err()
}

// dup returns a second descriptor of the client's socket, which stays non-blocking.
func (c *Conn) dup() (*os.File, error) {
	file, ok := c.Stream.(*os.File)
	if !ok {
		return nil, errors.New("client is behind no socket")
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	if cerr := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(fd), "client"), nil
}
