// Package door is how a message gets into the queue: both ends of queue.sock.
//
// A client hands over the descriptor of a complete spool file and gets its
// answer when the message is durable. The control requests about the queue,
// which come over queued's control socket, are here too (Control).
package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/evlog"
	"posthorn/internal/id"
	"posthorn/internal/sock"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

// Proto is the protocol of queue.sock.
const Proto = "posthorn-queue/1"

// submitTimeout is how long a client waits for queued before it keeps the
// message itself. queued asks the directory for at most two seconds.
const submitTimeout = 30 * time.Second

// Client hands messages to queued. It is safe for concurrent use.
type Client struct {
	// Kept, unless it is nil, is told of each message that was kept because
	// queued did not answer, and why not.
	Kept func(id string, err error)

	sock   sock.Client
	folder atomic.Pointer[os.File] // through which queued can link; nil: by its path
}

// New returns a client of the socket at path. peers are the uids that queued
// may have; none means any.
func New(path string, peers ...int) *Client {
	return &Client{sock: sock.Client{Path: path, Proto: Proto, Timeout: submitTimeout, Peers: peers}}
}

// Incoming returns in, or the same folder as queued reaches it, where that is
// known to matter: messages are to be made there.
func (c *Client) Incoming(in spool.Incoming) (spool.Incoming, error) {
	if folder := c.folder.Load(); folder != nil {
		return in.Through(folder)
	}
	return in, nil
}

// Probe tries the door with an empty file. A *verdict.Error that says never
// means that modes, groups or confinement keep messages out, which no waiting
// cures; any other error that queued could not be asked.
func (c *Client) Probe(ctx context.Context, in spool.Incoming) error {
	folder, err := c.probe(ctx, in)
	if folder {
		_, err = c.probe(ctx, in)
	}
	return err
}

// probe makes one try. folder says that queued has given its own folder since.
func (c *Client) probe(ctx context.Context, in spool.Incoming) (folder bool, err error) {
	if in, err = c.Incoming(in); err != nil {
		return false, err
	}
	f, done, err := in.Empty(id.New())
	if err != nil {
		return false, err
	}
	defer done()
	ro, err := attr.ReadOnly(f)
	if err != nil {
		return false, fmt.Errorf("probe: %w", err)
	}
	defer ro.Close()
	v, folder, err := c.ask(ctx, attr.List{{Name: "request", Value: "probe"}}, ro)
	if err != nil {
		return false, fmt.Errorf("probe: %w", err)
	}
	return folder, v.Err()
}

// ask sends one request. folder says that the file was made through a mount
// that is not queued's, and that the next ones will be made through that.
func (c *Client) ask(ctx context.Context, req attr.List, f *os.File) (v verdict.Verdict, folder bool, err error) {
	l, out, err := c.sock.DoFile(ctx, req, f)
	if err != nil {
		return verdict.Verdict{}, false, err
	}
	if out != nil {
		c.folder.Store(out) // the one before is closed with its last draft
	}
	v, err = sock.Verdict(l)
	return v, out != nil, err
}

// Submit finishes d and hands it over. It returns nil when the message is
// durable: in the queue, in the boxes it is for, or, where queued does not answer
// or was started again in a mount namespace of its own, kept in the incoming
// folder. A refusal is a *verdict.Error. d stays the caller's to close.
func (c *Client) Submit(ctx context.Context, d *spool.Draft) error {
	if err := d.Finish(); err != nil {
		return err
	}
	v, err := c.submit(ctx, d)
	if err == nil {
		return v.Err()
	}
	if kerr := d.Keep(); kerr != nil {
		return fmt.Errorf("submit: %w", errors.Join(err, kerr))
	}
	if c.Kept != nil {
		c.Kept(d.Envelope().ID, err)
	}
	return nil
}

// submit returns queued's answer, or an error when there is none.
func (c *Client) submit(ctx context.Context, d *spool.Draft) (verdict.Verdict, error) {
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		return verdict.Verdict{}, err
	}
	defer ro.Close()
	v, folder, err := c.ask(ctx, attr.List{{Name: "request", Value: "submit"}, {Name: "id", Value: d.Envelope().ID}}, ro)
	if err == nil && folder {
		err = errElsewhere
	}
	return v, err
}

// errElsewhere: the draft was begun before queued was started again.
var errElsewhere = errors.New("the file is of another mount than queued's")

// Close closes idle connections.
func (c *Client) Close() { c.sock.Close() }

// Queue is what stands behind the door. Its methods are called concurrently;
// the descriptor is open for reading only, as far as its sender says. nil means
// that the message is durable.
type Queue interface {
	// Probe leaves the descriptor to the caller, Submit closes it in the end.
	Probe(ctx context.Context, f *os.File) error
	Submit(ctx context.Context, id string, f *os.File) error
	// Folder opens the incoming folder for a maker whose file could not be
	// linked because its mount is another (EXDEV).
	Folder() (*os.File, error)
}

// Serve answers on l until ctx is done and the last answer is out. allow are
// the uids that may connect; nil means the own one. It closes l.
func Serve(ctx context.Context, l *net.UnixListener, allow []int, log *evlog.Log, q Queue) error {
	s := sock.Server{Name: "queue", Proto: Proto, Allow: allow, Log: log}
	s.Handle = func(ctx context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
		err := handle(ctx, q, req, f)
		if !errors.Is(err, unix.EXDEV) {
			return sock.Reply(verdict.Of(err)), nil
		}
		folder, ferr := q.Folder()
		return sock.Reply(verdict.Of(errors.Join(err, ferr))), folder
	}
	return s.Serve(ctx, l)
}

// handle answers a request; f is its own.
func handle(ctx context.Context, q Queue, req attr.List, f *os.File) error {
	if f == nil {
		return malformed("the request came without a descriptor")
	}
	request, msg := req.Get("request"), req.Get("id")
	if request == "submit" && id.Valid(msg) {
		return q.Submit(ctx, msg, f)
	}
	defer f.Close()
	switch request {
	case "probe":
		return q.Probe(ctx, f)
	case "submit":
		return malformed("the request came without an id")
	}
	return malformed("unknown request")
}

func malformed(text string) error { return verdict.New(verdict.Later, "4.3.5", text).Err() }
