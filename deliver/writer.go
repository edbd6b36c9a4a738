package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"posthorn/deliver/internal/box"
	"posthorn/internal/directory"
	"posthorn/internal/handover"
	"posthorn/internal/starter"
	"posthorn/internal/verdict"
)

// errBroken ends deliver: a new start brings the starter back.
var errBroken = errors.New("the starter has ended")

// writer delivers to boxes of one owner.
type writer interface {
	write(ctx context.Context, r room, j box.Job, f *os.File) []box.Result
	broken() <-chan struct{} // closed when nothing can be written any more; nil is never
	close()
}

// room is whose rights write a job, and where they may.
type room struct {
	starter.Identity
	folders []string
}

// own writes in this process.
type own struct {
	uid       int
	deliverer *box.Deliverer
}

func (o *own) write(_ context.Context, r room, j box.Job, f *os.File) []box.Result {
	if r.UID != o.uid {
		return all(j, fmt.Errorf("the box belongs to uid %d, deliver has %d (system-users needs root)", r.UID, o.uid))
	}
	return o.deliverer.Deliver(j, f)
}

func (o *own) broken() <-chan struct{} { return nil }
func (o *own) close()                  {}

// others has deliver-box write, under the owner's uid.
type others struct{ starter *starter.Starter }

func (o *others) write(ctx context.Context, r room, j box.Job, f *os.File) []box.Result {
	answer, err := o.starter.Do(ctx, r.Identity, r.folders, j.Encode(), f)
	if err != nil {
		return all(j, err)
	}
	return box.DecodeResults(j.Boxes, answer)
}

func (o *others) broken() <-chan struct{} { return o.starter.Done() }
func (o *others) close()                  { o.starter.Close() }

// all returns err as the result of every box of j.
func all(j box.Job, err error) []box.Result {
	results := make([]box.Result, len(j.Boxes))
	for i := range results {
		results[i].Err = err
	}
	return results
}

// write puts the message into the boxes that authd found, those of one owner
// together and the owners side by side.
func (s *service) write(ctx context.Context, r handover.DeliverRequest, found []directory.Box, f *os.File, results []box.Result) {
	var parts []part
	for i, b := range found {
		if b.Verdict.Kind != verdict.Done {
			results[i].Err = unknown(b.Verdict)
			continue
		}
		in := room{starter.Identity{UID: b.UID, GID: b.GID}, s.folders.Of(b.UID, b.Mail)}
		at := slices.IndexFunc(parts, func(p part) bool { return p.room.Identity == in.Identity && slices.Equal(p.room.folders, in.folders) })
		if at < 0 {
			parts = append(parts, part{room: in})
			at = len(parts) - 1
		}
		parts[at].indexes = append(parts[at].indexes, i)
	}
	if len(parts) == 1 { // as a rule, and needs no other goroutine
		s.fill(ctx, r, found, f, parts[0], results)
		return
	}
	var wait sync.WaitGroup
	for _, p := range parts {
		wait.Go(func() { s.fill(ctx, r, found, f, p, results) })
	}
	wait.Wait()
}

// fill puts the message into the boxes of one owner and notes their results.
func (s *service) fill(ctx context.Context, r handover.DeliverRequest, found []directory.Box, f *os.File, p part, results []box.Result) {
	for at, result := range s.writer.write(ctx, p.room, s.job(r, found, p.indexes), f) {
		results[p.indexes[at]] = result
	}
}

// part are the boxes of one owner in a request, by their indexes.
type part struct {
	room    room
	indexes []int
}

// job is the part of r for the boxes at indexes.
func (s *service) job(r handover.DeliverRequest, found []directory.Box, indexes []int) box.Job {
	j := box.Job{ID: r.ID, Try: r.Try, Time: r.Time, From: r.From, Offset: r.Offset, Size: r.Size}
	for _, i := range indexes {
		j.Boxes = append(j.Boxes, box.Box{
			Name: r.Boxes[i].Box, Rcpt: r.Boxes[i].Rcpt,
			Place: box.Place(s.mailRoot, found[i].Home, found[i].Mail), Quota: found[i].Quota,
		})
	}
	return j
}
