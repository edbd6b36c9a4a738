package starter

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// childFD is where a child and the root process find their socket.
const childFD = 3

// againName in an answer says that the request was not begun and should go to
// a new child.
const againName = "again"

// Child is the serving end of a program that a starter started. Requests run
// at the same time, each in a goroutine.
type Child struct {
	Name string        // of the program, for the log
	Idle time.Duration // after which a child without work ends; default a minute
	Log  *evlog.Log

	// Handle answers one request. It owns f, which may be nil, and closes it.
	Handle func(ctx context.Context, req attr.List, f *os.File) attr.List

	conn    *attr.Conn
	writing sync.Mutex
	work    sync.WaitGroup

	mu      sync.Mutex
	busy    int
	retired bool
	timer   *time.Timer
}

// Again is the answer of a child that cannot take this request with the rights
// it has left. The child ends when its other requests are answered, and the
// request goes to a new one.
func (c *Child) Again() attr.List {
	c.Retire()
	return attr.List{{Name: againName, Value: "yes"}}
}

// Retire lets the child end when what it has begun is finished.
func (c *Child) Retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retire()
}

// retire stops the sender: its next write fails, and what it has sent before is
// still read.
func (c *Child) retire() {
	if !c.retired {
		c.retired = true
		c.conn.Unix().CloseRead()
	}
}

// Hold keeps the child from being idle until release is called: for work that
// goes on after its request was answered.
func (c *Child) Hold() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work.Add(1)
	c.busy++
	c.timer.Stop()
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.work.Done()
		if c.busy--; c.busy == 0 {
			c.timer.Reset(c.Idle)
		}
	})
}

// Serve answers the requests that come over descriptor 3 until the daemon has
// closed its end or the child is idle, and returns when all work is finished.
// Signals that are meant for the daemon are ignored: what was begun is
// finished.
func (c *Child) Serve() error {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	unix.CloseOnExec(childFD)
	conn, err := connOf(os.NewFile(childFD, "starter's socket"))
	if err != nil {
		return fmt.Errorf("%s is started by its daemon: %w", c.Name, err)
	}
	return c.serve(conn)
}

func (c *Child) serve(conn *attr.Conn) error {
	if c.Idle <= 0 {
		c.Idle = time.Minute
	}
	c.conn = conn
	defer conn.Close()
	c.timer = time.AfterFunc(c.Idle, c.idle)
	defer c.timer.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	for {
		req, f, err := conn.Read()
		if err != nil || len(req) == 0 || req[0].Name != tagName {
			if f != nil {
				f.Close()
			}
			break
		}
		release := c.Hold()
		go func() {
			defer release()
			c.answer(ctx, req, f)
		}()
	}
	if !c.isRetired() {
		cancel() // the daemon is gone or speaks nonsense
	}
	c.work.Wait()
	cancel()
	return nil
}

// idle runs when there was no work for a while.
func (c *Child) idle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == 0 {
		c.retire()
	}
}

func (c *Child) isRetired() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retired
}

// answer handles one request and answers it.
func (c *Child) answer(ctx context.Context, req attr.List, f *os.File) {
	tagged := append(attr.List{req[0]}, c.handle(ctx, req[1:], f)...)
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.conn.Write(tagged, nil); err != nil {
		c.Log.PeerFailed(c.Name, err)
	}
}

// handle calls Handle; a bug in it is a temporary failure of this request.
func (c *Child) handle(ctx context.Context, req attr.List, f *os.File) (answer attr.List) {
	defer func() {
		if p := recover(); p != nil {
			c.Log.Crashed(c.Name, fmt.Sprint(p), string(debug.Stack()))
			answer = sock.Reply(verdict.New(verdict.Later, "4.3.0", "local problem, try again later"))
		}
	}()
	return c.Handle(ctx, req, f)
}
