package main

import (
	"context"
	"os"
	"slices"

	"posthorn/internal/attr"
	"posthorn/internal/daemon"
	"posthorn/internal/door"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// viewers are who may see the queue without root's rights.
type viewers struct {
	uids   []int
	anyone bool
}

// listenMailq makes mailq.sock, which every user reaches and few are answered at:
// it shows the queue to those of mailq-users, and changes nothing.
func (q *queue) listenMailq(d *daemon.Daemon) error {
	own, err := d.Conf.PeerUIDs("queued", "root")
	if err != nil {
		return daemon.BadConfig(err)
	}
	q.viewers.uids, q.viewers.anyone, err = d.Conf.MailqUIDs()
	if err != nil {
		return daemon.BadConfig(err)
	}
	q.viewers.uids = append(q.viewers.uids, own...)
	q.mailq, err = d.ListenPublic("mailq")
	return err
}

// serveMailq answers at mailq.sock until ctx is done.
func (q *queue) serveMailq(ctx context.Context) {
	s := &sock.Server{Name: "mailq", Proto: daemon.ControlProto, Public: true, Log: q.log, Handle: q.answerMailq}
	if err := s.Serve(ctx, q.mailq); err != nil {
		q.log.PeerFailed("mailq", err)
	}
}

func (q *queue) answerMailq(ctx context.Context, p sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
	if f != nil {
		f.Close()
	}
	if !q.viewers.anyone && !slices.Contains(q.viewers.uids, p.UID) {
		return sock.Reply(verdict.New(verdict.Never, "5.7.1", "the queue is not for you to see")), nil
	}
	switch req.Get("request") {
	case door.RequestList:
		return q.list(ctx, req), nil
	case door.RequestShow:
		return q.show(ctx, req), nil
	}
	return sock.Reply(verdict.New(verdict.Never, "5.5.1", "unknown request")), nil
}
