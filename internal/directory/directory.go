// Package directory asks authd, the one daemon that knows users, aliases and
// passwords: where an address leads, what belongs to a box, whether a password
// is right.
//
// Every error is fit for verdict.Of: authd's own verdict, or, when authd did
// not answer or made no sense, later.
package directory

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// Proto is the protocol of auth.sock.
const Proto = "posthorn-auth/1"

// MaxBoxes is how many boxes one request may ask for: the answer fits one list
// then.
const MaxBoxes = 900

// MaxAddresses is how many addresses one request may ask for.
const MaxAddresses = 500

// timeout bounds one request, besides its context.
const timeout = 30 * time.Second

// Client asks one authd. It is safe for concurrent use.
type Client struct {
	sock   sock.Client
	memory memory
}

// New returns a client of the authd that listens at path. Nothing is connected
// before the first request. peers are the uids that authd may have; none means
// any.
func New(path string, peers ...int) *Client {
	return &Client{sock: sock.Client{Path: path, Proto: Proto, Timeout: timeout, Peers: peers}}
}

// Of returns a client of the authd of c, who is nobody else: another daemon that
// took its place would say whose mail is whose.
func Of(c *conf.Config) (*Client, error) {
	peers, err := c.PeerUIDs("authd", "root")
	if err != nil {
		return nil, err
	}
	return New(c.Socket("auth"), peers...), nil
}

// Forget has the next questions go to authd, whatever it answered before: the
// configuration is another one.
func (c *Client) Forget() { c.memory.forget() }

// Close closes the idle connections. The client can be used again.
func (c *Client) Close() { c.sock.Close() }

// Kind says what a target is.
type Kind string

// The kinds of targets.
const (
	KindBox     Kind = "box"     // Value is the name of a box
	KindAddress Kind = "address" // Value is an address of another host
	KindList    Kind = "list"    // Value is the name of a list
	KindPipe    Kind = "pipe"    // Value is a command
)

// Target is one place to which an address leads.
type Target struct {
	Kind   Kind
	Value  string
	Rcpt   string // the address it is delivered for: the last one of the way, with its detail
	Origin string // file:line of the table that says so
}

// Resolved is the answer for one address.
type Resolved struct {
	Local   bool // the domain is ours
	Targets []Target
}

// Resolve asks where a leads. For an address of another host that is itself.
// A local address that nobody has is a verdict of never 5.1.1; a table that
// cannot be followed to its end is later as a whole.
func (c *Client) Resolve(ctx context.Context, a addr.Address) (Resolved, error) {
	l, err := c.askOnce(ctx, "resolve", attr.Attr{Name: "address", Value: a.String()})
	if err != nil {
		return Resolved{}, err
	}
	return parseResolved(l, a)
}

func parseResolved(l attr.List, a addr.Address) (Resolved, error) {
	r := Resolved{Local: l.Get("local") == "yes"}
	for _, g := range sock.Groups(l, "target") {
		r.Targets = append(r.Targets, Target{Kind(g.Get("target")), g.Get("value"), g.Get("rcpt"), g.Get("origin")})
	}
	if len(r.Targets) == 0 {
		return Resolved{}, fmt.Errorf("asking authd: found no target for %s", a)
	}
	return r, nil
}

// Answer is what Resolve would say of one address.
type Answer struct {
	Resolved
	Err error
}

// ResolveAll asks where each of several addresses leads, and answers in their
// order. Its own error is that authd did not say so of all.
func (c *Client) ResolveAll(ctx context.Context, all []addr.Address) ([]Answer, error) {
	answers := make([]Answer, 0, len(all))
	for len(answers) < len(all) {
		rest := all[len(answers):]
		some, err := c.resolveSome(ctx, rest[:min(len(rest), MaxAddresses)])
		if err != nil {
			return nil, err
		}
		answers = append(answers, some...)
	}
	return answers, nil
}

// resolveSome returns answers for the first of some addresses, for as many as
// authd had room.
func (c *Client) resolveSome(ctx context.Context, some []addr.Address) ([]Answer, error) {
	if len(some) == 1 { // the answer has no group then
		r, err := c.Resolve(ctx, some[0])
		return []Answer{{r, err}}, nil
	}
	req := make(attr.List, 0, len(some))
	for _, a := range some {
		req.Add("address", a.String())
	}
	l, err := c.ask(ctx, "resolve", req)
	if err != nil {
		return nil, err
	}
	groups := sock.Groups(l, "address")
	if len(groups) == 0 || len(groups) > len(some) {
		return nil, fmt.Errorf("asking authd: found %d addresses, expected 1 to %d", len(groups), len(some))
	}
	answers := make([]Answer, len(groups))
	for i, g := range groups {
		if g[0].Value != some[i].String() {
			return nil, fmt.Errorf("asking authd: found the address %.100q, expected %s", g[0].Value, some[i])
		}
		if answers[i].Err = outcome(g); answers[i].Err == nil {
			answers[i].Resolved, answers[i].Err = parseResolved(g, some[i])
		}
	}
	return answers, nil
}

// Box is what a delivery or a session needs to know of a box.
type Box struct {
	Name     string
	UID, GID int
	Home     string // may not exist yet
	Mail     string // path of the Maildir; may not exist yet
	Quota    conf.Quota
	// Verdict says whether the box is there; the fields above but Name hold
	// only when it is done.
	Verdict verdict.Verdict
}

// Boxes asks for boxes by name and returns them in the same order.
func (c *Client) Boxes(ctx context.Context, names []string) ([]Box, error) {
	boxes := make([]Box, 0, len(names))
	for len(names) > 0 {
		n := min(len(names), MaxBoxes)
		some, err := c.boxes(ctx, names[:n])
		if err != nil {
			return nil, err
		}
		boxes, names = append(boxes, some...), names[n:]
	}
	return boxes, nil
}

func (c *Client) boxes(ctx context.Context, names []string) ([]Box, error) {
	l, err := c.askBoxes(ctx, names)
	if err != nil {
		return nil, err
	}
	groups := sock.Groups(l, "box")
	if len(groups) != len(names) {
		return nil, fmt.Errorf("asking authd: found %d boxes, expected %d", len(groups), len(names))
	}
	boxes := make([]Box, len(names))
	for i, g := range groups {
		if boxes[i], err = parseBox(g); err == nil && boxes[i].Name != names[i] {
			err = fmt.Errorf("found the box %.100q, expected %.100q", boxes[i].Name, names[i])
		}
		if err != nil {
			return nil, fmt.Errorf("asking authd: %w", err)
		}
	}
	return boxes, nil
}

func (c *Client) askBoxes(ctx context.Context, names []string) (attr.List, error) {
	if len(names) == 1 {
		return c.askOnce(ctx, "box", attr.Attr{Name: "box", Value: names[0]})
	}
	var req attr.List
	for _, name := range names {
		req.Add("box", name)
	}
	return c.ask(ctx, "box", req)
}

// parseBox reads the group of one box.
func parseBox(g attr.List) (Box, error) {
	b := Box{Name: g.Get("box"), UID: -1, GID: -1}
	var err error
	if b.Verdict, err = sock.Verdict(g); err != nil || b.Verdict.Kind != verdict.Done {
		return b, err
	}
	if b.UID, err = id(g, "uid"); err != nil {
		return b, err
	}
	if b.GID, err = id(g, "gid"); err != nil {
		return b, err
	}
	if b.Quota, err = (conf.Quota{}).With(g.Get("quota")); err != nil {
		return b, err
	}
	b.Home, b.Mail = g.Get("home"), g.Get("mail")
	if b.Name == "" || b.Mail == "" || b.Mail[0] != '/' || b.Home == "" || b.Home[0] != '/' {
		return b, fmt.Errorf("found the box %.100q without absolute paths", b.Name)
	}
	return b, nil
}

// id reads a uid or gid. Nothing of ours may ever become 0 by an answer.
func id(g attr.List, name string) (int, error) {
	n, err := strconv.ParseUint(g.Get(name), 10, 31)
	if err != nil || n == 0 {
		return -1, fmt.Errorf("found %s=%.20q, expected a number above 0", name, g.Get(name))
	}
	return int(n), nil
}

// Credentials are what a client shows to log in.
type Credentials struct {
	Service  string // smtp, imap or pop3
	User     string // as the client wrote it
	Password string
	Client   netip.Addr
	TLS      bool
}

// Login is the answer to good credentials.
type Login struct {
	User   string // canonical name, which is the name of the box too
	Ticket string // for imap and pop3: what the session redeems, once and soon
}

// Login checks credentials. Wrong ones are never 5.7.8, whatever is wrong with
// them; that answer is held back here, without keeping authd, for as long as
// authd says, or until ctx is done.
func (c *Client) Login(ctx context.Context, cr Credentials) (Login, error) {
	l, err := c.do(ctx, "login", attr.List{{Name: "service", Value: cr.Service}, {Name: "user", Value: cr.User},
		{Name: "password", Value: cr.Password}, {Name: "client", Value: clientString(cr.Client)}, {Name: "tls", Value: yesNo(cr.TLS)}})
	if err != nil {
		return Login{}, err
	}
	holdBack(ctx, l)
	if err := outcome(l); err != nil {
		return Login{}, err
	}
	return Login{User: l.Get("user"), Ticket: l.Get("ticket")}, nil
}

// clientString writes the zero address as "".
func clientString(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

// holdBack waits for the time that the answer asks for.
func holdBack(ctx context.Context, l attr.List) {
	ms, err := l.Int("delay")
	if err != nil || ms <= 0 {
		return
	}
	t := time.NewTimer(time.Duration(min(ms, 60_000)) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// MaySend returns nil when the user, a canonical name from Login, may send
// mail from a: the address leads to the user's box. Otherwise it is never
// 5.7.1. Everybody may send with the null sender.
func (c *Client) MaySend(ctx context.Context, user string, a addr.Address) error {
	_, err := c.ask(ctx, "maysend", attr.List{{Name: "user", Value: user}, {Name: "address", Value: a.String()}})
	return err
}

// Grant is what a ticket stands for.
type Grant struct {
	User   string
	Box    Box
	Client netip.Addr // who logged in; the zero Addr where authd was not told

	// IMAPOff are capabilities that IMAP does not offer this user, with commas, in
	// upper case.
	IMAPOff string
	// Groups are those that the user is in, with commas.
	Groups string
	// POP3 says what this user's mailbox is for POP3 clients, as conf.POP3.With
	// has it.
	POP3 string
}

// Redeem uses up a ticket for service. A ticket that is unknown, old, used or
// of another service is never 5.7.8.
func (c *Client) Redeem(ctx context.Context, ticket, service string) (Grant, error) {
	l, err := c.ask(ctx, "redeem", attr.List{{Name: "ticket", Value: ticket}, {Name: "service", Value: service}})
	if err != nil {
		return Grant{}, err
	}
	return parseGrant(l)
}

// parseGrant reads what authd says of a ticket.
func parseGrant(l attr.List) (g Grant, err error) {
	g = Grant{User: l.Get("user"), IMAPOff: l.Get("imap-off"), POP3: l.Get("pop3"), Groups: l.Get("groups")}
	if g.Box, err = parseBox(l); err != nil {
		return Grant{}, fmt.Errorf("asking authd: %w", err)
	}
	if s := l.Get("client"); s != "" {
		if g.Client, err = netip.ParseAddr(s); err != nil {
			return Grant{}, fmt.Errorf("asking authd: %w", err)
		}
	}
	return g, nil
}

// askOnce is ask about one thing, unless the answer is known.
func (c *Client) askOnce(ctx context.Context, request string, about attr.Attr) (attr.List, error) {
	question, now := question(request, about), time.Now()
	if l, ok := c.memory.recall(question, now); ok {
		return l, nil
	}
	l, err := c.ask(ctx, request, attr.List{about})
	if err == nil {
		c.memory.note(question, l, now)
	}
	return l, err
}

// question is what the memory knows an answer by.
func question(request string, about attr.Attr) string { return request + " " + about.Value }

// ask is do for those who want done or an error.
func (c *Client) ask(ctx context.Context, request string, req attr.List) (attr.List, error) {
	l, err := c.do(ctx, request, req)
	if err == nil {
		err = outcome(l)
	}
	return l, err
}

// outcome returns the answer's verdict as an error, or nil for done.
func outcome(l attr.List) error {
	v, err := sock.Verdict(l)
	if err != nil {
		return fmt.Errorf("asking authd: %w", err)
	}
	return v.Err()
}

func (c *Client) do(ctx context.Context, request string, req attr.List) (attr.List, error) {
	l, err := c.sock.Do(ctx, append(attr.List{{Name: "proto", Value: Proto}, {Name: "request", Value: request}}, req...), nil)
	if err != nil {
		return nil, fmt.Errorf("asking authd: %w", err)
	}
	return l, nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
