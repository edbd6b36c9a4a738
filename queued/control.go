package main

import (
	"context"
	"strconv"

	"posthorn/internal/attr"
	"posthorn/internal/daemon"
	"posthorn/internal/door"
	"posthorn/internal/id"
	"posthorn/internal/sock"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
	"posthorn/queued/internal/schedule"
)

// register makes the requests about the queue known to the control socket
// (package door).
func (q *queue) register(control func(request string, f daemon.ControlFunc)) {
	control(door.RequestList, q.list)
	control(door.RequestShow, q.show)
	change := func(request string, do func(req attr.List) attr.List) {
		control(request, func(ctx context.Context, req attr.List) attr.List {
			if v := q.whole(ctx); v.Kind != verdict.Done {
				return sock.Reply(v)
			}
			return do(req)
		})
	}
	change(door.RequestFlush, q.flush)
	change(door.RequestHold, func(req attr.List) attr.List { return q.each(req, q.hold) })
	change(door.RequestRelease, func(req attr.List) attr.List { return q.each(req, q.release) })
	change(door.RequestRemove, func(req attr.List) attr.List { return q.each(req, q.discard) })
}

func refuse(text string) attr.List { return sock.Reply(verdict.New(verdict.Never, "5.5.4", text)) }

// list answers one page of the queue. Each message is looked at in its file,
// one at a time.
func (q *queue) list(_ context.Context, req attr.List) attr.List {
	page, more := q.schedule.List(req.Get("after"), door.MaxPage)
	answer := sock.Reply(verdict.Of(nil))
	answer.AddInt("total", int64(q.schedule.Len()))
	answer.Add("more", yesNo(more))
	for _, info := range page {
		s := summary(info)
		if m, err := q.spool.Load(info.Ref); err == nil { // it may have left meanwhile
			describe(&s, m)
			m.Close()
		}
		s.Append(&answer)
	}
	return answer
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func summary(i schedule.Info) door.Summary {
	return door.Summary{ID: i.Ref.ID(), State: i.State, Waiting: i.Gate, Arrived: i.Arrived, Next: i.Next, Try: i.Try}
}

func describe(s *door.Summary, m *spool.Message) {
	s.Size, s.Origin, s.From, s.Rcpts, s.Rcpt = m.Size, m.Origin, m.From.String(), len(m.Rcpts), m.Rcpts[0].String()
}

// show answers one message with a page of its targets.
func (q *queue) show(_ context.Context, req attr.List) attr.List {
	info, ok := q.schedule.Lookup(req.Get("id"))
	if !ok {
		return refuse("no message of this id is in the queue")
	}
	m, err := q.spool.Load(info.Ref)
	if err != nil {
		return sock.Reply(verdict.New(verdict.Later, "4.3.0", "the message cannot be read: "+err.Error()))
	}
	defer m.Close()
	d := door.Detail{Summary: summary(info), Auth: m.Auth, Client: m.Client, Helo: m.Helo, Mail: m.Mail}
	describe(&d.Summary, m)
	for _, r := range m.Rcpts {
		d.Recipients = append(d.Recipients, door.Recipient{Address: r.String(), Rcpt: r.Rcpt})
	}
	for i := range m.Targets {
		d.Targets = append(d.Targets, detail(&m.Targets[i]))
	}
	after, _ := strconv.Atoi(req.Get("after")) // anything else begins
	answer := sock.Reply(verdict.Of(nil))
	d.Append(&answer, max(after, 0))
	return answer
}

func detail(t *spool.Target) door.TargetDetail {
	d := door.TargetDetail{
		Kind: t.Kind, Value: t.Value, Rcpt: t.Rcpt, Origin: t.Origin,
		Status: t.Verdict.Status, Text: t.Verdict.Text, Via: t.Via, Try: t.Try,
	}
	if t.Verdict.Kind != 0 {
		d.Verdict = t.Verdict.Kind.String()
	}
	return d
}

// flush makes messages due, and what they wait for willing.
func (q *queue) flush(req attr.List) attr.List {
	if req.Get("all") != "yes" {
		return q.each(req, q.schedule.Flush)
	}
	n := q.schedule.FlushAll()
	q.log.QueueCommand(door.RequestFlush, n)
	return counted(n)
}

func counted(n int) attr.List {
	answer := sock.Reply(verdict.Of(nil))
	answer.AddInt("count", int64(n))
	return answer
}

// each does something to the messages that a request names.
func (q *queue) each(req attr.List, do func(msg string) bool) attr.List {
	ids := req.All("id")
	switch {
	case req.Get("all") == "yes":
		ids = q.everything()
	case len(ids) == 0 || len(ids) > door.MaxIDs:
		return refuse("the request names no messages, or too many")
	}
	n := 0
	for _, msg := range ids {
		if id.Valid(msg) && do(msg) {
			n++
		}
	}
	q.log.QueueCommand(req.Get("request"), n)
	return counted(n)
}

// everything lists the ids of the queue.
func (q *queue) everything() []string {
	infos, _ := q.schedule.List("", q.schedule.Len()+1)
	ids := make([]string, len(infos))
	for i := range infos {
		ids[i] = infos[i].Ref.ID()
	}
	return ids
}

// hold keeps a message from being tried.
func (q *queue) hold(msg string) bool { return q.mark(msg, true) }

// release lets a held message be tried again, at once.
func (q *queue) release(msg string) bool { return q.mark(msg, false) }

// mark notes whether a message is held, for who works on it or, when nobody
// does, in its file.
func (q *queue) mark(msg string, held bool) bool {
	it, grabbed, ok := q.schedule.Grab(msg)
	if !ok {
		return false
	}
	q.schedule.Hold(it, held)
	if !grabbed {
		return true
	}
	next := q.schedule.Next(it)
	if !held {
		next = q.now()
	}
	defer func() { q.schedule.Rest(it, q.schedule.Try(it), next) }()
	m, err := q.spool.Load(it.Ref())
	if err == nil {
		defer m.Close()
		if m.Held != held {
			m.SetHeld(held)
			err = m.Flush()
		}
	}
	if err != nil {
		q.log.SpoolFailed(msg, err) // it holds as long as we live
	}
	return true
}

// discard removes a message, once nobody works on it.
func (q *queue) discard(msg string) bool {
	it, grabbed, ok := q.schedule.Grab(msg)
	if !ok {
		return false
	}
	q.schedule.Doom(it)
	if grabbed {
		q.schedule.Rest(it, q.schedule.Try(it), q.now())
	}
	return true
}
