package evlog

import "strconv"

// What deliver, deliver-box and the starters of children under other uids say.

// Delivered: the message is durable in box, under the name file.
func (l *Log) Delivered(id, box, to, file string, try int) {
	l.event("delivered", "id", id, "box", box, "to", to, "verdict", "done", "status", "2.0.0", "file", file, "try", strconv.Itoa(try))
}

// Undelivered: the message is not in box; err is the cause where text, which
// the sender may see, does not say it.
func (l *Log) Undelivered(id, box, to, kind, status, text string, try int, err string) {
	l.event("undelivered", "id", id, "box", box, "to", to, "verdict", kind, "status", status, "text", text, "try", strconv.Itoa(try), "err", err)
}

// Fed: a message for nrcpt recipients came by LMTP; what became of it is said by
// delivered and undelivered.
func (l *Log) Fed(id, sid, ip, uid, from string, nrcpt int, size int64) {
	l.event("fed", "id", id, "sid", sid, "ip", ip, "uid", uid, "from", bracket(from), "nrcpt", number(nrcpt), "size", number(size))
}

// DeliverRefused: a request to deliver was no good as a whole.
func (l *Log) DeliverRefused(id string, err error) {
	l.event("deliver-refused", "id", id, "err", cause(err))
}

// StartRefused: a child was asked for with ids that it must not have, or could
// not be started.
func (l *Log) StartRefused(uid, gid string, err error) {
	l.event("start-refused", "uid", uid, "gid", gid, "err", cause(err))
}

// ChildFailed: a child did not end in peace.
func (l *Log) ChildFailed(uid int, err error) {
	l.event("child-failed", "uid", strconv.Itoa(uid), "err", cause(err))
}

// HomeMade: a user's missing home was made.
func (l *Log) HomeMade(uid int, folder string) {
	l.event("home-made", "uid", strconv.Itoa(uid), "folder", folder)
}
