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
	"time"

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
type Client struct{ sock sock.Client }

// New returns a client of the socket at path. peers are the uids that queued
// may have; none means any.
func New(path string, peers ...int) *Client {
	return &Client{sock.Client{Path: path, Proto: Proto, Timeout: submitTimeout, Peers: peers}}
}

// Probe tries the door with an empty file. A *verdict.Error that says never
// means that modes, groups or confinement keep messages out, which no waiting
// cures; any other error that queued could not be asked.
func (c *Client) Probe(ctx context.Context, in spool.Incoming) error {
	f, done, err := in.Empty(id.New())
	if err != nil {
		return err
	}
	defer done()
	ro, err := attr.ReadOnly(f)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer ro.Close()
	l, err := c.sock.Do(ctx, attr.List{{Name: "request", Value: "probe"}}, ro)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	v, err := sock.Verdict(l)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return v.Err()
}

// Submit finishes d and hands it over. It returns nil when the message is
// durable: in the queue, or, where queued does not answer, kept in the incoming
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
	return nil
}

// submit returns queued's answer, or an error when there is none.
func (c *Client) submit(ctx context.Context, d *spool.Draft) (verdict.Verdict, error) {
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		return verdict.Verdict{}, err
	}
	defer ro.Close()
	l, err := c.sock.Do(ctx, attr.List{{Name: "request", Value: "submit"}, {Name: "id", Value: d.Envelope().ID}}, ro)
	if err != nil {
		return verdict.Verdict{}, err
	}
	return sock.Verdict(l)
}

// Close closes idle connections.
func (c *Client) Close() { c.sock.Close() }

// Queue is what stands behind the door. Its methods are called concurrently;
// the descriptor is open for reading only, as far as its sender says, and stays
// the caller's. nil means that the message is durable.
type Queue interface {
	Probe(ctx context.Context, f *os.File) error
	Submit(ctx context.Context, id string, f *os.File) error
}

// Serve answers on l until ctx is done and the last answer is out. allow are
// the uids that may connect; nil means the own one. It closes l.
func Serve(ctx context.Context, l *net.UnixListener, allow []int, log *evlog.Log, q Queue) error {
	s := sock.Server{Name: "queue", Proto: Proto, Allow: allow, Log: log}
	s.Handle = func(ctx context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
		if f != nil {
			defer f.Close()
		}
		return sock.Reply(handle(ctx, q, req, f)), nil
	}
	return s.Serve(ctx, l)
}

func handle(ctx context.Context, q Queue, req attr.List, f *os.File) verdict.Verdict {
	request := req.Get("request")
	switch {
	case f == nil:
		return verdict.New(verdict.Later, "4.3.5", "the request came without a descriptor")
	case request == "probe":
		return verdict.Of(q.Probe(ctx, f))
	case request == "submit" && id.Valid(req.Get("id")):
		return verdict.Of(q.Submit(ctx, req.Get("id"), f))
	case request == "submit":
		return verdict.New(verdict.Later, "4.3.5", "the request came without an id")
	}
	return verdict.New(verdict.Later, "4.3.5", "unknown request")
}
