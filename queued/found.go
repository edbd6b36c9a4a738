package main

import (
	"context"
	"time"

	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

// What the queue holds at the start: all names at once, and then, while new
// messages are taken and delivered, what each file says. A million files take
// minutes to read from a disk.

// find puts into the schedule what the spool holds, by name.
func (q *queue) find() error {
	if q.examine == nil {
		q.examine = q.spool.Examine
	}
	if err := q.spool.Scan(q.schedule.Found); err != nil {
		return err
	}
	q.collect()
	q.log.QueueFound(q.schedule.Len())
	return nil
}

// readAtATime is for how many messages at a time the schedule is asked.
const readAtATime = 1000

// read tells the schedule what the messages say that find found, until ctx is done.
// What owes notices, and the notices, come last: whether one was made is known by
// then. Notices that were made and not recorded as sent are recorded before one of
// them can be delivered and make place for a second one.
func (q *queue) read(ctx context.Context) {
	var last []spool.Entry
	for after, more := "", true; more && ctx.Err() == nil; {
		refs := q.schedule.Unread(after, readAtATime)
		more = len(refs) == readAtATime
		q.calm.Stir()
		for _, ref := range refs {
			after = ref.ID()
			if e, ok := q.examine(ref); !ok {
				q.schedule.Cancel(after)
			} else if len(e.Owed) > 0 || e.Told {
				last = append(last, e)
			} else {
				q.schedule.Find(q.rested(e))
			}
		}
	}
	if ctx.Err() != nil {
		return
	}
	q.readLast(last)
	close(q.known)
}

// readLast tells the schedule of messages that owe notices, and of notices. One
// whose record the disk does not take, because it is full, waits until it does.
func (q *queue) readLast(last []spool.Entry) {
	waiting := map[string]bool{}
	for i := range last {
		if e := &last[i]; len(e.Owed) > 0 && !q.settleNotices(*e) {
			for _, notice := range e.Owed {
				waiting[notice] = true
			}
			e.Next = time.Time{} // its pass lets them go
		}
	}
	for _, e := range last {
		if waiting[e.Ref.ID()] {
			q.schedule.Detain(q.rested(e))
		}
	}
	for _, e := range last {
		q.schedule.Find(q.rested(e))
	}
}

// settleNotices records the notices of a message that are in the queue, and
// reports whether that is durable.
func (q *queue) settleNotices(e spool.Entry) bool {
	m, err := q.spool.Load(e.Ref)
	if err == nil {
		defer m.Close()
		for _, notice := range e.Owed {
			if _, ok := q.schedule.Known(notice); ok {
				m.Sent(notice)
			}
		}
		err = m.Flush()
	}
	if err != nil {
		q.log.SpoolFailed(e.Ref.ID(), err)
	}
	return err == nil
}

// patience is how long an administrator waits for the queue to be read.
const patience = 5 * time.Second

// whole waits until all that was found is read, for who changes it, and says
// done, or later.
func (q *queue) whole(ctx context.Context) verdict.Verdict {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-q.known:
		return verdict.Of(nil)
	case <-ctx.Done():
		return verdict.New(verdict.Later, "4.3.2", "the queue was started just now and is still being read: try again in a moment")
	}
}
