package handover

import (
	"context"
	"fmt"
	"os"
	"time"

	"posthorn/internal/sock"
)

// How long queued waits for an answer. deliver may have to write hundreds of
// boxes; queue-remote walks through hosts whose every command has a timeout of
// minutes, and answers by itself before this is over.
const (
	deliverTimeout = 10 * time.Minute
	remoteTimeout  = 2 * time.Hour
)

// DeliverClient asks deliver. It is safe for concurrent use.
type DeliverClient struct{ sock sock.Client }

// NewDeliverClient returns a client of the socket at path. peers are the uids
// that deliver may have; nil means any.
func NewDeliverClient(path string, peers []int) *DeliverClient {
	return &DeliverClient{sock.Client{Path: path, Proto: DeliverProto, Timeout: deliverTimeout, Peers: peers}}
}

// Do hands over one request with the message's file, which is open for reading
// only and stays the caller's. When deliver does not answer, the error carries
// no verdict: the boxes may or may not hold the message.
func (c *DeliverClient) Do(ctx context.Context, r DeliverRequest, f *os.File) ([]DeliverResult, error) {
	l, err := c.sock.Do(ctx, r.Encode(), f)
	if err != nil {
		return nil, fmt.Errorf("deliver: %w", err)
	}
	return DecodeDeliverResults(l)
}

// Close closes idle connections.
func (c *DeliverClient) Close() { c.sock.Close() }

// RemoteClient asks queue-remote. It is safe for concurrent use.
type RemoteClient struct{ sock sock.Client }

// NewRemoteClient returns a client of the socket at path. peers are the uids
// that queue-remote may have; nil means any.
func NewRemoteClient(path string, peers []int) *RemoteClient {
	return &RemoteClient{sock.Client{Path: path, Proto: RemoteProto, Timeout: remoteTimeout, Peers: peers}}
}

// Do hands over one request with the message's file, which is open for reading
// only and stays the caller's. When queue-remote does not answer, the error
// carries no verdict: the message may or may not have been sent.
func (c *RemoteClient) Do(ctx context.Context, r RemoteRequest, f *os.File) (RemoteResult, error) {
	l, err := c.sock.Do(ctx, r.Encode(), f)
	if err != nil {
		return RemoteResult{}, fmt.Errorf("send: %w", err)
	}
	return DecodeRemoteResult(l)
}

// Close closes idle connections.
func (c *RemoteClient) Close() { c.sock.Close() }
