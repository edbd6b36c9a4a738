package main

import (
	"context"
	"errors"
	"io"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/dsn"
	"posthorn/internal/guard"
	"posthorn/internal/handover"
	"posthorn/internal/id"
	"posthorn/internal/message"
	"posthorn/internal/verdict"
)

// feed is one LMTP connection. It keeps the configuration that was in force when
// it began.
type feed struct {
	l    *lmtp
	c    *guard.Conn
	conf *conf.Config

	from     addr.Address
	utf8     bool
	rcpts    []int              // index into boxes for each RCPT taken
	boxes    []handover.BoxRcpt // each box once, whoever leads to it
	messages int
}

// Mechanisms are none: AUTH is not offered.
func (f *feed) Mechanisms(context.Context) []string { return nil }

// Authenticate is never asked.
func (f *feed) Authenticate(string) guard.Exchange {
	return func(context.Context, []byte) ([]byte, bool, error) {
		return nil, false, verdict.Fail(verdict.Never, "5.7.0", "no login here", nil)
	}
}

// Mail begins a transaction.
func (f *feed) Mail(_ context.Context, from addr.Address, p guard.MailParams) error {
	f.Reset()
	f.from, f.utf8 = from, p.UTF8
	return nil
}

// Rcpt takes an address that leads to one box of this host. Where it leads is
// asked anew for each message; what leads further is the feeder's to resolve, for
// a copy for each of several boxes would come again with each try of the feeder.
func (f *feed) Rcpt(ctx context.Context, to addr.Address, _ dsn.Rcpt) error {
	if to.Domain == "" { // <Postmaster>, RFC 5321 4.1.1.3
		to.Domain = f.conf.Domains[0]
	}
	b, err := f.resolve(ctx, to)
	if err != nil {
		return f.rejected("", "rcpt", to, err)
	}
	f.rcpts = append(f.rcpts, f.index(b))
	return nil
}

func (f *feed) resolve(ctx context.Context, to addr.Address) (handover.BoxRcpt, error) {
	r, err := f.l.s.dir.Resolve(ctx, to)
	if err != nil {
		return handover.BoxRcpt{}, err
	}
	if t := r.Targets[0]; r.Local && len(r.Targets) == 1 && t.Kind == directory.KindBox {
		return handover.BoxRcpt{Box: t.Value, Rcpt: t.Rcpt}, nil
	}
	text := "the domain is not local here"
	if r.Local {
		text = "the address does not lead to one mailbox here, which is all that LMTP delivers to"
	}
	return handover.BoxRcpt{}, verdict.Fail(verdict.Never, "5.1.1", text, nil)
}

// index returns where b is in boxes. A box gets the message once.
func (f *feed) index(b handover.BoxRcpt) int {
	for i, have := range f.boxes {
		if have.Box == b.Box {
			return i
		}
	}
	f.boxes = append(f.boxes, b)
	return len(f.boxes) - 1
}

// Data holds the message, has it delivered, and answers for each recipient.
func (f *feed) Data(ctx context.Context, body io.Reader) (string, error) {
	r := handover.DeliverRequest{ID: id.New(), Try: 1, Time: f.l.now(), From: f.from, Boxes: f.boxes}
	m, err := f.l.holder.hold(f.conf.MessageSize)
	if err != nil {
		return "", f.rejected(r.ID, "data", f.first(), err)
	}
	defer m.Close()
	if err := f.write(m, r, body); err != nil {
		return "", f.rejected(r.ID, "data", f.first(), err)
	}
	r.Size = m.size
	f.messages++
	ip, uid := who(f.c.Peer())
	f.l.s.log.Fed(r.ID, f.c.SID(), ip, uid, f.from.String(), len(f.rcpts), r.Size)
	f.c.Each(f.each(r, f.deliver(ctx, r, m)))
	return "", nil
}

// write puts our trace field (RFC 5321 4.4) and the message into m. The feeder
// has taken the message: line ends are put right rather than refused.
func (f *feed) write(m *held, r handover.DeliverRequest, body io.Reader) error {
	with := "LMTP" // RFC 3848
	if f.utf8 {
		with = "UTF8LMTP" // RFC 6531 4.3
	}
	t := message.Trace{Helo: f.c.Helo(), Client: f.c.Client(), Host: f.conf.Hostname, With: with, ID: r.ID, Time: r.Time}
	if p := f.c.Peer(); p.UID >= 0 {
		t.Local = p.String()
	}
	if len(f.rcpts) == 1 {
		t.For = f.boxes[0].Rcpt
	}
	if _, err := m.Write(t.Append(nil)); err != nil {
		return err
	}
	in := message.Intake{MaxReceived: f.conf.MaxReceived}
	in.Lines.Normalize = true
	return in.Copy(m, body)
}

// deliver has the boxes of r filled. A stop lets it finish: the feeder waits for
// the answer.
func (f *feed) deliver(ctx context.Context, r handover.DeliverRequest, m *held) []handover.DeliverResult {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	file, err := m.readOnly()
	if err != nil {
		return f.l.s.failed(r, err)
	}
	defer file.Close()
	return f.l.s.deliver(ctx, r, file)
}

// each has one verdict for each RCPT that was taken.
func (f *feed) each(r handover.DeliverRequest, results []handover.DeliverResult) []verdict.Verdict {
	list := make([]verdict.Verdict, len(f.rcpts))
	for i, at := range f.rcpts {
		list[i] = results[at].Verdict
		if list[i].Kind == verdict.Done {
			list[i] = verdict.New(verdict.Done, "2.0.0", r.ID+" delivered")
		}
	}
	return list
}

// Reset forgets the transaction.
func (f *feed) Reset() {
	f.from, f.utf8, f.rcpts, f.boxes = addr.Address{}, false, nil, nil
}

// Close logs the connection's end.
func (f *feed) Close(reason string) {
	ip, uid := who(f.c.Peer())
	f.l.s.log.Disconnected(f.c.SID(), "lmtp", ip, uid, reason, f.messages)
}

// first names the recipient, when there is one only.
func (f *feed) first() (only addr.Address) {
	if len(f.rcpts) == 1 {
		only, _ = addr.Parse(f.boxes[0].Rcpt) // for the log
	}
	return only
}

// rejected logs a refusal, which the feeder is told of, and returns it.
func (f *feed) rejected(mid, stage string, to addr.Address, err error) error {
	var v *verdict.Error
	hidden := err
	if errors.As(err, &v) {
		hidden = v.Err
	}
	ip, uid := who(f.c.Peer())
	f.l.s.log.Rejected(mid, f.c.SID(), ip, uid, "", stage, f.from.String(), to.String(), verdict.Of(err), hidden)
	return err
}
