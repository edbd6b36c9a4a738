package main

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"

	"posthorn/internal/handover"
	"posthorn/internal/verdict"
	"posthorn/queued/queue-remote/internal/client"
)

// Limits of one request.
const (
	maxAddresses    = 20  // tried, over all hosts
	maxTransactions = 2   // conversations that got as far as MAIL
	maxTogether     = 100 // recipients in one transaction (RFC 5321 4.5.3.1.8)
)

// host is one address of one host of the list.
type host struct {
	name   string // of the list
	addr   netip.AddrPort
	socket bool // name is the path of a Unix socket, and there is no addr
}

// String is "name[address]". The path of a socket is nothing for a report.
func (h host) String() string {
	if h.socket {
		return "localhost"
	}
	ip := h.addr.Addr().String()
	if h.name == ip {
		return "[" + ip + "]"
	}
	return h.name + "[" + ip + "]"
}

// sending is the state of one request. One goroutine owns it.
type sending struct {
	s       *service
	r       handover.RemoteRequest
	body    *io.SectionReader
	content client.Content
	rcpts   []recipient
	fate    verdict.Verdict // why the last host could not be used
	at      string          // that host
	reached bool            // or nothing speaks against the hosts
	tried   int             // addresses
	talked  int             // transactions
}

// recipient is what is known about one of the request's.
type recipient struct {
	verdict verdict.Verdict // Kind 0: no host has said anything
	final   bool            // no other host is to be asked
	unable  bool            // the host lacks what it takes, and was not asked
	host    string
	tls     string
	dsn     bool // the host answers for the reports
}

// send does what r asks for and has a verdict for every recipient.
func (s *service) send(ctx context.Context, r handover.RemoteRequest, body *io.SectionReader) handover.RemoteResult {
	n := &sending{s: s, r: r, body: body, rcpts: make([]recipient, len(r.Rcpts))}
	for i, a := range r.Rcpts {
		key := r.ID + " " + a.String()
		earlier, ok := s.flights.begin(key)
		if !ok {
			n.rcpts[i] = earlier
			n.reached = true // as far as anybody knows: that try talks, or talked, to a host
			continue
		}
		defer func() { s.flights.end(key, n.rcpts[i]) }()
	}
	var err error
	if n.content, err = client.Scan(body, r.Size); err != nil {
		s.log.SendRefused(r.ID, err)
		n.fate = verdict.Of(err)
		n.reached = true
	} else {
		n.walk(ctx)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		n.reached = true // we stop: what came of it is no fault of the hosts
	}
	return n.result()
}

// open are the recipients for whom another host may still do something.
func (n *sending) open() []int {
	var list []int
	for i := range n.rcpts {
		if !n.rcpts[i].final {
			list = append(list, i)
		}
	}
	return list
}

// walk tries the hosts in their order until nobody is left to send to.
func (n *sending) walk(ctx context.Context) {
	for _, h := range n.r.Hosts {
		for _, at := range n.lookup(ctx, h) {
			if len(n.open()) == 0 || !n.try(ctx, at) {
				return
			}
		}
	}
}

// try sends to one address. It is false when no other one is to be tried.
func (n *sending) try(ctx context.Context, h host) (next bool) {
	if n.tried++; n.tried > maxAddresses {
		return false
	}
	w := way{h, n.r.TLS, n.r.Login, n.r.CAFile, n.r.LMTP}
	for k := n.s.pool.take(w); k != nil; k = n.s.pool.take(w) {
		if n.converse(ctx, k) {
			return n.more(ctx)
		}
	}
	c, err := n.connect(ctx, h)
	if err != nil {
		return n.failed(h, err) && ctx.Err() == nil
	}
	n.converse(ctx, &kept{way: w, c: c})
	return n.more(ctx)
}

// more says whether another address may do better for those who were put off.
func (n *sending) more(ctx context.Context) bool {
	n.reached = true
	return n.talked < maxTransactions && ctx.Err() == nil
}

// converse sends to everybody who is open, in as many transactions as it takes,
// and keeps the connection for the next message. It is false when the connection
// had been kept and was dead: then nothing has happened.
func (n *sending) converse(ctx context.Context, k *kept) (alive bool) {
	h, c, idle, asked := k.way.host, k.c, k.uses > 0, false
	stop := c.Watch(ctx)
	for todo := n.open(); len(todo) > 0 && !c.Broken(); {
		part := todo[:min(len(todo), maxTogether, c.MaxRcpts())]
		todo = todo[len(part):]
		o := c.Send(n.message(part))
		if o.Unheard && idle {
			stop()
			c.Close()
			return false
		}
		idle = false
		k.uses++
		n.take(part, o, h, c.TLS())
		asked = asked || slices.Contains(o.Unable, false)
	}
	if asked {
		n.talked++
	}
	if !stop() || !n.s.pool.put(k) {
		n.part(c)
	}
	return true
}

// failed notes why an address could not be used. Our own address ends the walk:
// hosts behind it in the list are no better than we are (RFC 5321 5.1).
func (n *sending) failed(h host, err error) (next bool) {
	own := errors.Is(err, errSelf)
	if own && n.fate.Kind == verdict.Later {
		return false // A better host exists and is not there at the moment.
	}
	v := verdict.Of(err)
	n.s.log.HostFailed(n.r.ID, h.String(), v.Text, errors.Unwrap(err))
	n.note(v, h.String())
	return !own
}

// note keeps what is to be said when no host does better.
func (n *sending) note(v verdict.Verdict, at string) {
	if v.Kind == verdict.Later || n.fate.Kind == 0 {
		n.fate, n.at = v, at
	}
}

func (n *sending) message(part []int) client.Message {
	rcpts := make([]handover.Rcpt, len(part))
	for i, p := range part {
		rcpts[i] = n.r.Rcpts[p]
	}
	return client.Message{
		From: n.r.From, Rcpts: rcpts, Mail: n.r.Mail, UTF8: n.r.UTF8, EightBit: n.r.Body == "8bitmime", Content: n.content,
		Open: func() io.Reader { return io.NewSectionReader(n.body, 0, n.r.Size) },
	}
}

// take keeps the verdicts of one transaction. Later is final too when the host
// may have the message; never is not when it was not even asked, for the hosts of
// a destination need not have the same extensions (RFC 6531 3.2).
func (n *sending) take(part []int, o client.Outcome, h host, tls string) {
	for i, p := range part {
		v := o.Verdicts[i]
		if o.Unable[i] && n.rcpts[p].verdict.Kind == verdict.Later {
			continue // a host that could take it put it off
		}
		n.rcpts[p] = recipient{
			verdict: v, final: o.Unsure || v.Kind != verdict.Later && !o.Unable[i], unable: o.Unable[i],
			host: h.String(), tls: tls, dsn: o.DSN && v.Kind == verdict.Done,
		}
	}
	if o.Err != nil {
		n.s.log.HostFailed(n.r.ID, h.String(), "the conversation broke", o.Err)
	}
}

// result gives those whom no host has heard of what stopped the last host, also
// those who need more than the others offer: that host may offer it. It logs every
// outcome.
func (n *sending) result() handover.RemoteResult {
	down := n.fate.Kind == verdict.Later
	if n.fate.Kind == 0 {
		n.fate = verdict.New(verdict.Later, "4.4.1", "no host could be tried")
	}
	r := handover.RemoteResult{Reached: n.reached}
	for i, a := range n.r.Rcpts {
		to := n.rcpts[i]
		if to.verdict.Kind == 0 || to.unable && down {
			to.verdict, to.host = n.fate, n.at
		}
		r.Rcpts = append(r.Rcpts, handover.RcptResult{Rcpt: a.String(), Verdict: to.verdict, Host: to.host, DSN: to.dsn})
		n.log(a.String(), to)
	}
	return r
}

func (n *sending) log(rcpt string, to recipient) {
	v := to.verdict
	if v.Kind == verdict.Done {
		n.s.log.Sent(n.r.ID, rcpt, to.host, v.Status, v.Text, to.tls, n.r.Try)
		return
	}
	n.s.log.Unsent(n.r.ID, rcpt, to.host, v.Kind.String(), v.Status, v.Text, to.tls, n.r.Try)
}

// part says goodbye without keeping the answer to queued waiting.
func (n *sending) part(c *client.Conn) { n.s.closing.Go(c.Quit) }
