package main

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	write(ctx context.Context, owner starter.Identity, j box.Job, f *os.File) []box.Result
	broken() <-chan struct{} // closed when nothing can be written any more; nil is never
	close()
}

// own writes in this process.
type own struct {
	uid       int
	deliverer *box.Deliverer
}

func (o *own) write(_ context.Context, owner starter.Identity, j box.Job, f *os.File) []box.Result {
	if owner.UID != o.uid {
		return all(j, fmt.Errorf("the box belongs to uid %d, deliver has %d (system-users needs root)", owner.UID, o.uid))
	}
	return o.deliverer.Deliver(j, f)
}

func (o *own) broken() <-chan struct{} { return nil }
func (o *own) close()                  {}

// others has deliver-box write, under the owner's uid.
type others struct{ starter *starter.Starter }

func (o *others) write(ctx context.Context, owner starter.Identity, j box.Job, f *os.File) []box.Result {
	answer, err := o.starter.Do(ctx, owner, j.Encode(), f)
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
	byOwner := make(map[starter.Identity][]int)
	for i, b := range found {
		if b.Verdict.Kind != verdict.Done {
			results[i].Err = unknown(b.Verdict)
			continue
		}
		owner := starter.Identity{UID: b.UID, GID: b.GID}
		byOwner[owner] = append(byOwner[owner], i)
	}
	var wait sync.WaitGroup
	for owner, indexes := range byOwner {
		wait.Go(func() {
			for at, result := range s.writer.write(ctx, owner, s.job(r, found, indexes), f) {
				results[indexes[at]] = result
			}
		})
	}
	wait.Wait()
}

// job is the part of r for the boxes at indexes.
func (s *service) job(r handover.DeliverRequest, found []directory.Box, indexes []int) box.Job {
	j := box.Job{ID: r.ID, Try: r.Try, Time: r.Time, From: r.From, Offset: r.Offset, Size: r.Size}
	for _, i := range indexes {
		j.Boxes = append(j.Boxes, box.Box{
			Name: r.Boxes[i].Box, Rcpt: r.Boxes[i].Rcpt,
			Place: box.Place(s.mailRoot, found[i].Home, found[i].Mail),
		})
	}
	return j
}
