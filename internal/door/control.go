package door

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/daemon"
	"posthorn/internal/dsn"
	"posthorn/internal/sock"
)

// The requests of queued's control socket, besides status and reload. A list
// is read in pages: MaxPage messages, or targets of one message, at a time.
const (
	RequestList    = "list"    // after=<id>; answers groups of message=, and more=yes|no
	RequestShow    = "show"    // id=, after=<n>; answers the envelope, groups of target=, and more=yes|no
	RequestFlush   = "flush"   // id= (repeat) or all=yes: try now
	RequestHold    = "hold"    // the same: do not try
	RequestRelease = "release" // the same: try again
	RequestRemove  = "remove"  // the same: take out of the queue, without a word to anybody
)

// Limits of one request, so that its answer fits a list.
const (
	MaxPage = 500
	MaxIDs  = 1000
)

// Summary is one message of the queue in a list.
type Summary struct {
	ID      string
	State   string // active, deferred, waiting, held
	Waiting string // what it waits for: a destination, or a daemon of ours as @name
	Arrived time.Time
	Next    time.Time // of the next try; zero when active or held
	Try     int       // tries that ended
	Size    int64
	Origin  string
	From    string // "" for the null sender
	Rcpts   int
	Rcpt    string // the first
}

// Detail is one message of the queue with its targets.
type Detail struct {
	Summary
	Auth, Client, Helo string
	Mail               dsn.Mail // what the sender asked of reports
	Recipients         []Recipient
	Targets            []TargetDetail
}

// Recipient is one of the envelope.
type Recipient struct {
	Address string
	dsn.Rcpt
}

// TargetDetail is one place that a message goes to. Verdict is "" before the
// first try.
type TargetDetail struct {
	Kind, Value, Rcpt, Origin string
	Verdict, Status, Text     string
	Via                       string
	Try                       int
}

// Control asks queued about the queue. It is safe for concurrent use.
type Control struct{ sock sock.Client }

// NewControl returns a client of queued's control socket at path.
func NewControl(path string) *Control {
	return &Control{sock.Client{Path: path, Proto: daemon.ControlProto}}
}

// Close closes idle connections.
func (c *Control) Close() { c.sock.Close() }

// ask sends one request; an answer that is not done is an error.
func (c *Control) ask(ctx context.Context, request string, req attr.List) (attr.List, error) {
	l, err := c.sock.Do(ctx, append(attr.List{{Name: "proto", Value: daemon.ControlProto}, {Name: "request", Value: request}}, req...), nil)
	if err != nil {
		return nil, err
	}
	v, err := sock.Verdict(l)
	if err != nil {
		return nil, err
	}
	return l, v.Err()
}

// List returns the messages behind the id after, oldest first, and whether
// there are more; "" begins. total counts the whole queue.
func (c *Control) List(ctx context.Context, after string) (page []Summary, total int, more bool, err error) {
	l, err := c.ask(ctx, RequestList, attr.List{{Name: "after", Value: after}})
	if err != nil {
		return nil, 0, false, err
	}
	n, err := l.Int("total")
	if err != nil {
		return nil, 0, false, err
	}
	for _, g := range sock.Groups(l, "message") {
		s, err := readSummary(g)
		if err != nil {
			return nil, 0, false, err
		}
		page = append(page, s)
	}
	return page, int(n), l.Get("more") == "yes", nil
}

// Show returns one message with all its targets.
func (c *Control) Show(ctx context.Context, id string) (Detail, error) {
	var d Detail
	for more := true; more; {
		l, err := c.ask(ctx, RequestShow, attr.List{{Name: "id", Value: id}, {Name: "after", Value: strconv.Itoa(len(d.Targets))}})
		if err != nil {
			return Detail{}, err
		}
		if err := d.read(l); err != nil {
			return Detail{}, err
		}
		more = l.Get("more") == "yes"
	}
	return d, nil
}

// Do makes one of the other requests for ids, at most MaxIDs, or for all
// messages when there are none. It returns how many messages were known.
func (c *Control) Do(ctx context.Context, request string, ids ...string) (int, error) {
	var req attr.List
	for _, id := range ids {
		req.Add("id", id)
	}
	if len(ids) == 0 {
		req.Add("all", "yes")
	}
	l, err := c.ask(ctx, request, req)
	if err != nil {
		return 0, err
	}
	n, err := l.Int("count")
	return int(n), err
}

// Append adds the summary to an answer.
func (s Summary) Append(l *attr.List) {
	l.Add("message", s.ID)
	l.Add("state", s.State)
	l.Add("waiting", s.Waiting)
	l.AddInt("arrived", s.Arrived.UnixMicro())
	if !s.Next.IsZero() {
		l.AddInt("next", s.Next.UnixMicro())
	}
	l.AddInt("try", int64(s.Try))
	l.AddInt("size", s.Size)
	l.Add("origin", s.Origin)
	l.Add("from", s.From)
	l.AddInt("nrcpt", int64(s.Rcpts))
	l.Add("first", s.Rcpt)
}

func readSummary(g attr.List) (Summary, error) {
	s := Summary{
		ID: g.Get("message"), State: g.Get("state"), Waiting: g.Get("waiting"),
		Origin: g.Get("origin"), From: g.Get("from"), Rcpt: g.Get("first"),
	}
	var numbers [4]int64
	for i, name := range []string{"arrived", "try", "size", "nrcpt"} {
		n, err := g.Int(name)
		if err != nil {
			return Summary{}, fmt.Errorf("message %.40q: %w", s.ID, err)
		}
		numbers[i] = n
	}
	s.Arrived, s.Try, s.Size, s.Rcpts = time.UnixMicro(numbers[0]), int(numbers[1]), numbers[2], int(numbers[3])
	if next, err := g.Int("next"); err == nil {
		s.Next = time.UnixMicro(next)
	}
	return s, nil
}

// Append adds the message to an answer, with targets beginning at after.
func (d Detail) Append(l *attr.List, after int) {
	l.Add("more", yesNo(after+MaxPage < len(d.Targets)))
	d.Summary.Append(l)
	l.Add("auth", d.Auth)
	l.Add("client", d.Client)
	l.Add("helo", d.Helo)
	d.Mail.Add(l)
	if after == 0 {
		for _, r := range d.Recipients[:min(len(d.Recipients), MaxPage)] {
			l.Add("recipient", r.Address)
			r.Rcpt.Add(l)
		}
	}
	for _, t := range d.Targets[min(after, len(d.Targets)):min(after+MaxPage, len(d.Targets))] {
		t.append(l)
	}
}

func (t TargetDetail) append(l *attr.List) {
	l.Add("target", t.Kind)
	l.Add("value", t.Value)
	l.Add("rcpt", t.Rcpt)
	l.Add("origin", t.Origin)
	l.Add("verdict", t.Verdict)
	l.Add("status", t.Status)
	l.Add("text", t.Text)
	l.Add("via", t.Via)
	l.AddInt("tried", int64(t.Try))
}

// read takes in one page of an answer.
func (d *Detail) read(l attr.List) error {
	groups := sock.Groups(l, "message")
	if len(groups) != 1 {
		return fmt.Errorf("found %d messages, expected one", len(groups))
	}
	var err error
	if d.Summary, err = readSummary(groups[0]); err != nil {
		return err
	}
	d.Auth, d.Client, d.Helo = l.Get("auth"), l.Get("client"), l.Get("helo")
	if err := d.readAsked(l); err != nil {
		return err
	}
	for _, g := range sock.Groups(l, "target") {
		tried, err := g.Int("tried")
		if err != nil {
			return err
		}
		d.Targets = append(d.Targets, TargetDetail{
			Kind: g.Get("target"), Value: g.Get("value"), Rcpt: g.Get("rcpt"), Origin: g.Get("origin"),
			Verdict: g.Get("verdict"), Status: g.Get("status"), Text: g.Get("text"), Via: g.Get("via"), Try: int(tried),
		})
	}
	return nil
}

// readAsked takes in the recipients, and what was asked of reports.
func (d *Detail) readAsked(l attr.List) error {
	for _, a := range l {
		if a.Name == "recipient" {
			d.Recipients = append(d.Recipients, Recipient{Address: a.Value})
			continue
		}
		take := d.Mail.Take
		if n := len(d.Recipients); n > 0 {
			take = d.Recipients[n-1].Take
		}
		if _, err := take(a); err != nil {
			return err
		}
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
