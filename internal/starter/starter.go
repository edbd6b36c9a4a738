package starter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// Identity is whose rights a child has. There are no other groups than GID.
type Identity struct{ UID, GID int }

// Config is what a starter starts, and for whom.
type Config struct {
	Program string   // absolute path, which every owner must be able to execute
	Args    []string // after the program's name; a -mail-root for each folder follows
	MinUID  int      // smaller uids are refused, Vmail's excepted
	Vmail   Identity // may be below MinUID
	Homes   bool     // make missing homes of the system's users

	// IndexDir is where each owner gets a folder for index files (conf.IndexFolder), ""
	// for none. Where it cannot be made, children start all the same.
	IndexDir string

	// Getent looks users up: as `getent passwd UID` does. Default
	// /usr/bin/getent.
	Getent string
}

// Word is the first argument by which a daemon's main knows that it was started
// as the starter and must call Main.
const Word = "starter"

// startTime bounds one start: the starter itself waits at most lookupTime for
// the user database.
const startTime = 30 * time.Second

// Starter is the daemon's end. It is safe for concurrent use.
type Starter struct {
	done     chan struct{} // closed when the root process has ended
	patience time.Duration // for one exchange with the root process

	starting sync.Mutex // held for one exchange with the root process
	conn     *attr.Conn

	mu       sync.Mutex
	closed   bool
	children map[key]*child
}

// key is what children are told apart by.
type key struct {
	uid     int
	folders string
}

// Start starts the root process, which is this program again with the argument
// Word. The caller must be root, drops its rights afterwards, and calls Close.
func Start(c Config) (*Starter, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start starter: %w", err)
	}
	return start(c, exec.Command(program, Word))
}

func start(c Config, cmd *exec.Cmd) (*Starter, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	conn, err := connOf(ours)
	if err != nil {
		theirs.Close()
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	err = cmd.Start()
	theirs.Close() // so that the end of the process shows
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("start starter: %w", err)
	}
	s := newStarter(conn)
	go func() {
		cmd.Wait() // its last words are in the log
		close(s.done)
	}()
	if _, err := s.ask(c.encode()); err != nil {
		s.Close()
		return nil, fmt.Errorf("start starter: %w", err)
	}
	return s, nil
}

// newStarter returns a Starter whose root process is at the other end of conn.
func newStarter(conn *attr.Conn) *Starter {
	return &Starter{done: make(chan struct{}), patience: startTime, conn: conn, children: map[key]*child{}}
}

// socketpair returns two ends of a stream socket, closed on exec.
func socketpair() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket"), nil
}

// connOf makes a Conn of a socket and closes f.
func connOf(f *os.File) (*attr.Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("descriptor is no Unix socket")
	}
	return attr.NewConn(u), nil
}

// Done is closed when the root process has ended: no child can be started any
// more.
func (s *Starter) Done() <-chan struct{} { return s.done }

// Close ends the root process and every child, after what they are doing.
// Requests that run are abandoned. It does not wait.
func (s *Starter) Close() {
	s.conn.Unix().Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.children {
		if c.conn != nil {
			c.conn.Unix().Close() // the reader, which owns the rest, ends by it
		}
	}
}

// ask makes one exchange with the root process; an answer that is not done is
// an error. After an exchange that broke off the root process is dismissed: its
// late answer, a child of one uid, would be taken for that of the next request.
func (s *Starter) ask(req attr.List) (*os.File, error) {
	s.starting.Lock()
	defer s.starting.Unlock()
	s.conn.SetDeadline(time.Now().Add(s.patience))
	err := s.conn.Write(req, nil)
	var answer attr.List
	var f *os.File
	if err == nil {
		answer, f, err = s.conn.Read()
	}
	if err != nil {
		s.conn.Close()
		return nil, err
	}
	v, err := sock.Verdict(answer)
	if err == nil {
		err = v.Err()
	}
	if err != nil && f != nil {
		f.Close()
		f = nil
	}
	return f, err
}

// ErrEnded means that a child ended while it had a request: nobody knows how
// far it came.
var ErrEnded = errors.New("child ended while it had a request")

// Do sends req, with f unless it is nil, to the child of id that writes in
// folders, and returns its answer. The child is started when there is none: as
// long as folders stay the same, a uid has one. f stays the caller's. When
// ctx ends first, the child goes on and its answer is thrown away. No error
// carries a verdict: a caller's retry is right.
func (s *Starter) Do(ctx context.Context, id Identity, folders []string, req attr.List, f *os.File) (attr.List, error) {
	for range 3 {
		c, err := s.child(id, folders)
		if err != nil {
			return nil, fmt.Errorf("start for uid %d: %w", id.UID, err)
		}
		answer, err := c.do(ctx, req, f)
		if !errors.Is(err, errRetired) {
			return answer, err
		}
		s.forget(c) // it has not taken the request: another will
	}
	return nil, fmt.Errorf("children of uid %d end as soon as they are asked", id.UID)
}

// All sends req to all children that run and returns the answers, in no order. One
// that takes no more requests, because it ends after what it has begun, is not
// asked.
func (s *Starter) All(ctx context.Context, req attr.List) []attr.List {
	s.mu.Lock()
	children := slices.Collect(maps.Values(s.children))
	s.mu.Unlock()
	var mu sync.Mutex
	var answers []attr.List
	var all sync.WaitGroup
	for _, c := range children {
		all.Go(func() {
			select {
			case <-c.ready:
			case <-ctx.Done():
				return
			}
			if c.err != nil {
				return
			}
			if answer, err := c.do(ctx, req, nil); err == nil {
				mu.Lock()
				defer mu.Unlock()
				answers = append(answers, answer)
			}
		})
	}
	all.Wait()
	return answers
}

// child returns the running child of id for folders or starts one.
func (s *Starter) child(id Identity, folders []string) (*child, error) {
	k := key{id.UID, strings.Join(folders, "\n")}
	s.mu.Lock()
	c := s.children[k]
	if c == nil {
		c = &child{id: id, key: k, ready: make(chan struct{}), pending: map[string]chan attr.List{}}
		s.children[k] = c
		s.mu.Unlock()
		c.err = s.launch(c, folders)
		close(c.ready)
	} else {
		s.mu.Unlock()
		<-c.ready
	}
	if c.err != nil {
		s.forget(c)
		return nil, c.err
	}
	if c.id != id {
		return nil, fmt.Errorf("gid %d asked for, its child has %d", id.GID, c.id.GID)
	}
	return c, nil
}

// launch asks the root process for c and begins to read its answers.
func (s *Starter) launch(c *child, folders []string) error {
	req := attr.List{
		{Name: "request", Value: "start"},
		{Name: "uid", Value: strconv.Itoa(c.id.UID)},
		{Name: "gid", Value: strconv.Itoa(c.id.GID)},
	}
	for _, folder := range folders {
		req.Add("folder", folder)
	}
	f, err := s.ask(req)
	if err != nil {
		return err
	}
	if f == nil {
		return verdict.Fail(verdict.Later, "4.3.0", "local problem, try again later", errors.New("starter sent no descriptor"))
	}
	conn, err := connOf(f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return errors.New("starter is closed")
	}
	c.conn = conn
	go func() {
		c.read()
		s.forget(c)
	}()
	return nil
}

func (s *Starter) forget(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.children[c.key] == c {
		delete(s.children, c.key)
	}
}
