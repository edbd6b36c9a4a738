package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"posthorn/deliver/internal/box"
	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/handover"
	"posthorn/internal/sock"
	"posthorn/internal/tables"
	"posthorn/internal/verdict"
)

// boxes is the part of the directory that deliver asks.
type boxes interface {
	Resolve(ctx context.Context, a addr.Address) (directory.Resolved, error)
	Boxes(ctx context.Context, names []string) ([]directory.Box, error)
	Forget()
}

// answerTime bounds the wait for a child that hangs in its file system. queued
// waits a little longer.
const answerTime = 9 * time.Minute

// service answers queued, and who speaks LMTP.
type service struct {
	lmtp     *lmtp
	listener *net.UnixListener
	peers    []int
	dir      boxes
	writer   writer
	mailRoot string
	folders  tables.Folders
	slots    chan struct{} // held while a request works on the disk
	log      *evlog.Log
}

// Reload takes the limits of LMTP from c; what else deliver uses takes effect at
// a start.
func (s *service) Reload(c *conf.Config) error {
	s.lmtp.conf.Store(c)
	s.dir.Forget()
	return nil
}

// Serve answers requests until ctx is done; what was begun is finished.
func (s *service) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.writer.close()
	go func() {
		select {
		case <-s.writer.broken():
			cancel(errBroken)
		case <-ctx.Done():
		}
	}()
	var feeding sync.WaitGroup
	feeding.Go(func() { s.lmtp.serve(ctx) })
	defer feeding.Wait()
	server := &sock.Server{Name: "deliver", Proto: handover.DeliverProto, Allow: s.peers, Log: s.log, Handle: s.handle}
	err := server.Serve(ctx, s.listener)
	cancel(err)
	if errors.Is(context.Cause(ctx), errBroken) {
		return errBroken
	}
	return err
}

// handle answers one request.
func (s *service) handle(ctx context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
	if f != nil {
		defer f.Close()
	}
	r, err := handover.DecodeDeliver(req)
	if err == nil {
		err = box.CheckFile(f, r.Offset, r.Size)
	}
	if err != nil {
		s.log.DeliverRefused(req.Get("id"), err)
		return sock.Reply(verdict.New(verdict.Later, "4.3.0", "request not understood")), nil
	}
	// A stop lets what was begun finish: queued waits for the answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	return handover.EncodeDeliverResults(s.deliver(ctx, r, f)), nil
}

// deliver delivers to the boxes of r and returns their results in order, logged.
func (s *service) deliver(ctx context.Context, r handover.DeliverRequest, f *os.File) []handover.DeliverResult {
	found, err := s.owners(ctx, r)
	if err != nil {
		return s.failed(r, err)
	}
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	results := make([]box.Result, len(r.Boxes))
	s.write(ctx, r, found, f, results)
	return s.tell(r, results)
}

// failed gives every box of r the result err.
func (s *service) failed(r handover.DeliverRequest, err error) []handover.DeliverResult {
	results := make([]box.Result, len(r.Boxes))
	for i := range results {
		results[i].Err = err
	}
	return s.tell(r, results)
}

// owners asks authd for all boxes at once.
func (s *service) owners(ctx context.Context, r handover.DeliverRequest) ([]directory.Box, error) {
	names := make([]string, len(r.Boxes))
	for i, b := range r.Boxes {
		names[i] = b.Box
	}
	found, err := s.dir.Boxes(ctx, names)
	if err == nil && len(found) != len(names) {
		err = fmt.Errorf("found %d boxes, expected %d", len(found), len(names))
	}
	if err != nil {
		// Whatever authd says, it says it of the question, not of a box.
		return nil, verdict.Fail(verdict.Later, "4.3.0", "the directory does not answer", err)
	}
	return found, nil
}

// unknown is the verdict on a box that authd does not name: it may be back when
// the table is right again, and queued asks anew with each try.
func unknown(v verdict.Verdict) error {
	if v.Kind == verdict.Never {
		return verdict.Fail(verdict.Later, "4.2.1", "the mailbox is not available", v.Err())
	}
	return v.Err()
}

// tell logs the results and makes the answer of them.
func (s *service) tell(r handover.DeliverRequest, results []box.Result) []handover.DeliverResult {
	answer := make([]handover.DeliverResult, len(results))
	for i, b := range r.Boxes {
		v := verdict.Of(results[i].Err)
		answer[i] = handover.DeliverResult{Box: b.Box, Verdict: v, File: results[i].File}
		if v.Kind == verdict.Done {
			s.log.Delivered(r.ID, b.Box, b.Rcpt, results[i].File, r.Try)
			continue
		}
		s.log.Undelivered(r.ID, b.Box, b.Rcpt, v.Kind.String(), v.Status, v.Text, r.Try, box.Cause(results[i].Err))
	}
	return answer
}
