package sock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/calm"
	"posthorn/internal/evlog"
	"posthorn/internal/verdict"
)

// Server answers requests of one protocol, one at a time on each connection.
type Server struct {
	Name    string        // of the socket, for the log
	Proto   string        // what each request names first, such as posthorn-queue/1
	Allow   []int         // uids that may connect; nil means the own uid only
	Public  bool          // any uid may connect, with few connections: Handle decides
	Timeout time.Duration // to read the rest of a request, and to write an answer; default 30 s
	Log     *evlog.Log
	calm    calm.Watch

	// Handle answers one request. It owns f, which may be nil, and closes it.
	// A returned descriptor goes out with the answer and is closed then.
	Handle func(ctx context.Context, p Peer, req attr.List, f *os.File) (attr.List, *os.File)
}

// Serve accepts until ctx is done, then closes idle connections, waits for the
// requests that run, and returns nil. It closes l.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	slots := make(chan struct{}, maxConns)
	shares := newShares(s.Allow, s.Public)
	for failing := false; ; {
		slots <- struct{}{}
		c, err := l.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of descriptors or the like: others close theirs meanwhile.
			if !failing {
				s.Log.AcceptFailed(s.Name, err)
			}
			failing = true
			time.Sleep(50 * time.Millisecond)
			<-slots
			continue
		}
		failing = false
		wg.Go(func() {
			defer func() { <-slots }()
			s.conn(ctx, c, shares)
		})
	}
}

// conn serves one connection until its peer leaves.
func (s *Server) conn(ctx context.Context, u *net.UnixConn, shares *shares) {
	c := attr.NewConn(u)
	defer c.Close()
	defer s.recover()
	peer, err := PeerOf(u)
	if err != nil {
		s.Log.PeerFailed(s.Name, err)
		return
	}
	if !s.allowed(peer.UID) {
		s.Log.PeerRefused(s.Name, peer.PID, peer.UID)
		return
	}
	if !shares.enter(peer.UID) {
		s.Log.PeerLimited(s.Name, peer.PID, peer.UID)
		return
	}
	defer shares.leave(peer.UID)
	// An idle connection wakes up when the server stops.
	stop := context.AfterFunc(ctx, func() { u.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		if err := s.request(ctx, c, peer); err != nil {
			if err != io.EOF && ctx.Err() == nil {
				s.Log.PeerFailed(s.Name, err)
			}
			return
		}
	}
}

// recover keeps a bug in one request from ending the daemon.
func (s *Server) recover() {
	if p := recover(); p != nil {
		s.Log.Crashed(s.Name, fmt.Sprint(p), string(debug.Stack()))
	}
}

func (s *Server) allowed(uid int) bool {
	if s.Public {
		return true
	}
	if s.Allow == nil {
		return uid == os.Geteuid()
	}
	return slices.Contains(s.Allow, uid)
}

// request reads one request and answers it.
func (s *Server) request(ctx context.Context, c *attr.Conn, peer Peer) error {
	if ctx.Err() != nil {
		return io.EOF
	}
	req, f, err := s.read(ctx, c)
	if err != nil {
		return err
	}
	if got := req.Get("proto"); got != s.Proto {
		if f != nil {
			f.Close()
		}
		bad := verdict.New(verdict.Later, "4.3.5", fmt.Sprintf("found proto %.60q, expected %s", got, s.Proto))
		return errors.Join(errors.New(bad.Text), s.write(c, Reply(bad), nil))
	}
	s.calm.Stir()
	answer, out := s.Handle(ctx, peer, req, f)
	if out != nil {
		defer out.Close()
	}
	return s.write(c, answer, out)
}

// read waits for a request as long as the peer likes, and for its end no longer
// than the timeout.
func (s *Server) read(ctx context.Context, c *attr.Conn) (attr.List, *os.File, error) {
	if err := c.Wait(); err != nil {
		return nil, nil, err
	}
	if c.Whole() { // as a rule, and costs no timer then
		return c.Read()
	}
	c.Unix().SetReadDeadline(time.Now().Add(s.timeout()))
	if ctx.Err() != nil { // the deadline of the stop may have been the one before
		return nil, nil, io.EOF
	}
	req, f, err := c.Read()
	if err == nil {
		c.Unix().SetReadDeadline(time.Time{}) // the next request looks at ctx first
	}
	return req, f, err
}

func (s *Server) write(c *attr.Conn, answer attr.List, f *os.File) error {
	c.WriteWithin(s.timeout())
	return c.Write(answer, f)
}

func (s *Server) timeout() time.Duration {
	if s.Timeout > 0 {
		return s.Timeout
	}
	return 30 * time.Second
}

// Reply returns the start of every answer: verdict, status, text.
func Reply(v verdict.Verdict) attr.List {
	return attr.List{{Name: "verdict", Value: v.Kind.String()}, {Name: "status", Value: v.Status}, {Name: "text", Value: oneLine(v.Text)}}
}

// oneLine makes a text fit for an attribute.
func oneLine(s string) string {
	const most = 2000
	if len(s) > most {
		s = s[:most]
	}
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// Verdict reads the start of an answer, or of a group within it.
func Verdict(l attr.List) (verdict.Verdict, error) {
	k, err := verdict.ParseKind(l.Get("verdict"))
	if err != nil {
		return verdict.Verdict{}, err
	}
	return verdict.New(k, l.Get("status"), l.Get("text")), nil
}

// Groups cuts l into the groups that each begin with an attribute called name.
// What stands before the first is left out.
func Groups(l attr.List, name string) []attr.List {
	var groups []attr.List
	start := -1
	for i, a := range l {
		if a.Name != name {
			continue
		}
		if start >= 0 {
			groups = append(groups, l[start:i])
		}
		start = i
	}
	if start >= 0 {
		groups = append(groups, l[start:])
	}
	return groups
}
