package evlog

import (
	"time"

	"posthorn/internal/verdict"
)

// What queued may say.

// Queued: the message was handed over and is durable in the queue.
func (l *Log) Queued(id, origin, from string, nrcpt int, size int64) {
	l.event("queued", "id", id, "origin", origin, "from", bracket(from), "nrcpt", number(nrcpt), "size", number(size))
}

// Collected: the message was kept in the incoming folder while queued did not
// answer, and is in the queue now.
func (l *Log) Collected(id string) { l.event("collected", "id", id) }

// NotQueued: a message handed over was not taken; its maker was told.
func (l *Log) NotQueued(id string, err error) { l.event("not-queued", "id", id, "err", cause(err)) }

// Expanded: the directory says that the message for rcpt goes to the target;
// where names the file and line that say so.
func (l *Log) Expanded(id, rcpt, kind, to, where string) {
	l.event("expanded", "id", id, "rcpt", rcpt, "kind", kind, "to", to, "where", where)
}

// Unexpanded: the directory did not answer for every recipient; the message is
// kept and asked for again.
func (l *Log) Unexpanded(id string, err error) { l.event("unexpanded", "id", id, "err", cause(err)) }

// Outcome: queued itself decided what becomes of one target; what deliver and
// queue-remote decide is in their lines. delay runs from the arrival.
func (l *Log) Outcome(id, kind, to string, v verdict.Verdict, try int, delay time.Duration) {
	l.event("outcome", "id", id, "kind", kind, "to", to, "verdict", v.Kind.String(), "status", v.Status,
		"try", number(try), "delay", seconds(delay), "text", v.Text)
}

// Deferred: some targets are left and are tried again in next.
func (l *Log) Deferred(id string, left, try int, next time.Duration) {
	l.event("deferred", "id", id, "left", number(left), "try", number(try), "next", seconds(next))
}

// Finished: every target has its final verdict, every notice owed is durable,
// and the message has left the queue.
func (l *Log) Finished(id string, ok, failed int, delay time.Duration) {
	l.event("finished", "id", id, "ok", number(ok), "failed", number(failed), "delay", seconds(delay))
}

// Discarded: the administrator had the message taken out of the queue; nobody
// else was told.
func (l *Log) Discarded(id string) { l.event("discarded", "id", id) }

// Notified: notice is a new message that tells the sender (kind failure or
// delay) about targets of the message id.
func (l *Log) Notified(id, notice, kind, to string, nrcpt int) {
	l.event("notified", "id", id, "notice", notice, "kind", kind, "to", to, "nrcpt", number(nrcpt))
}

// DestinationDead: nobody answers there; it is left alone for next.
func (l *Log) DestinationDead(destination string, failures int, next time.Duration) {
	l.event("destination-dead", "destination", destination, "failures", number(failures), "next", seconds(next))
}

// DestinationBack: a destination that was dead answers again.
func (l *Log) DestinationBack(destination string, waiting int) {
	l.event("destination-back", "destination", destination, "waiting", number(waiting))
}

// Odd: a file that is no message, or has no place to go, now lies in the
// folder odd of the spool.
func (l *Log) Odd(id, file string, err error) {
	l.event("odd", "id", id, "file", file, "err", cause(err))
}

// Leftover: a file of a maker that died was removed; it was acknowledged to
// nobody.
func (l *Log) Leftover(file string) { l.event("leftover", "file", file) }

// SpoolFailed: a step on the disk failed. The message stays where it is and is
// tried again.
func (l *Log) SpoolFailed(id string, err error) { l.event("spool-failed", "id", id, "err", cause(err)) }

// QueueFound: what the queue held at the start.
func (l *Log) QueueFound(messages int) { l.event("queue-found", "messages", number(messages)) }

// ClockSet: the time of day jumped by so much.
func (l *Log) ClockSet(by time.Duration) { l.event("clock-set", "by", seconds(by)) }

// QueueCommand: the administrator had count messages treated by request.
func (l *Log) QueueCommand(request string, count int) {
	l.event("queue-command", "request", request, "count", number(count))
}

// seconds writes a duration as the log has it: seconds and milliseconds.
func seconds(d time.Duration) string { return d.Round(time.Millisecond).String() }

// bracket makes the null sender visible.
func bracket(from string) string {
	if from == "" {
		return "<>"
	}
	return from
}
