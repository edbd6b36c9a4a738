package login

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"syscall"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// sessionTimeout is how long the session program may take to open a mailbox.
const sessionTimeout = 30 * time.Second

// handOver gives the connection to the session program. After nil it is gone:
// passed on, or relayed to its end.
func (c *Conn) handOver(ctx context.Context, ticket, tag string) error {
	// A cancelled ctx must not leave in doubt who owns the connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sessionTimeout)
	defer cancel()
	if c.tls == nil {
		return c.pass(ctx, ticket, tag)
	}
	return c.relay(ctx, ticket, tag)
}

// pass sends the client's own socket.
func (c *Conn) pass(ctx context.Context, ticket, tag string) error {
	c.server.alight(c) // the client may be sent back before we hear that it was taken
	if err := c.request(ctx, ticket, tag, c.socket.stream); err != nil {
		if c.ridden != nil {
			c.server.ride(c.ridden, c)
		}
		return err
	}
	c.given = true
	return nil
}

// relay sends one end of a socketpair and begins to move bytes.
func (c *Conn) relay(ctx context.Context, ticket, tag string) error {
	ours, theirs, err := socketPair()
	if err != nil {
		return unavailable(err)
	}
	err = c.request(ctx, ticket, tag, theirs)
	theirs.Close()
	if err != nil {
		ours.Close()
		return err
	}
	c.given = true
	c.unpark()
	c.socket.SetDeadline(time.Time{})
	return c.server.relay(c, ours)
}

// request asks the session program to take the connection over.
func (c *Conn) request(ctx context.Context, ticket, tag string, file syscall.Conn) error {
	tls := "no"
	if c.TLS() {
		tls = "yes"
	}
	req := attr.List{
		{Name: "request", Value: "session"},
		{Name: "ticket", Value: ticket},
		{Name: "service", Value: c.server.proto.Service()},
		{Name: "client", Value: c.client.String()},
		{Name: "tls", Value: tls},
		{Name: "sid", Value: c.sid},
		{Name: "tag", Value: tag},
		{Name: "mechanisms", Value: strings.Join(c.offered, " ")},
		{Name: "pending", Value: base64.StdEncoding.EncodeToString(c.in.buffered())},
	}
	reply, err := c.server.session.Do(ctx, req, file)
	if err != nil && (ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		// Nobody knows whether the session program has it: it may answer at
		// any moment, so this process says nothing any more.
		c.socket.shut()
		return err
	}
	if err != nil {
		return unavailable(err)
	}
	return refusal(reply)
}

// unavailable is the Failure for a session program that cannot be reached.
func unavailable(err error) *Failure {
	return &Failure{Reason: Unavailable, Text: "mailbox is not available right now, try again later", Err: err}
}

// refusal turns the session program's answer into a Failure, or nil.
func refusal(reply attr.List) error {
	v, err := sock.Verdict(reply)
	switch {
	case err != nil:
		return unavailable(err)
	case v.Kind == verdict.Done:
		return nil
	case reply.Get("reason") == "in-use":
		return &Failure{Reason: InUse, Text: v.Text}
	case reply.Get("reason") == "limit":
		return &Failure{Reason: Limit, Text: v.Text}
	case v.Kind == verdict.Never:
		return &Failure{Reason: Refused, Text: v.Text}
	}
	return &Failure{Reason: Unavailable, Text: v.Text}
}
