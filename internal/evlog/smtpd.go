package evlog

import (
	"posthorn/internal/verdict"
)

// What smtpd may say.

// Accepted: the message is durable and the client was told its id. tls names
// version and cipher suite, user is the login; both may be empty. uid is that of
// a client without an address, a process of this host.
func (l *Log) Accepted(id, sid, ip, uid, user, from string, nrcpt int, size int64, tls string) {
	l.event("accepted", "id", id, "sid", sid, "ip", ip, "uid", uid, "user", user, "from", bracket(from),
		"nrcpt", number(nrcpt), "size", number(size), "tls", tls)
}

// Rejected: a sender, a recipient or a message was not taken; stage is mail,
// rcpt or data. err is what the client was not told.
func (l *Log) Rejected(id, sid, ip, uid, user, stage, from, to string, v verdict.Verdict, err error) {
	l.event("rejected", "id", id, "sid", sid, "ip", ip, "uid", uid, "user", user, "stage", stage, "from", bracket(from), "to", to,
		"verdict", v.Kind.String(), "status", v.Status, "text", v.Text, "err", cause(err))
}

// LoggedIn: a client of smtpd has shown the password of user.
func (l *Log) LoggedIn(sid, service, ip, user string) {
	l.event("logged-in", "sid", sid, "ip", ip, "user", user, "service", service)
}

// Disconnected: an SMTP connection has ended, and why.
func (l *Log) Disconnected(sid, service, ip, uid, reason string, messages int) {
	l.event("disconnected", "sid", sid, "ip", ip, "uid", uid, "service", service, "reason", reason, "messages", number(messages))
}

// SubmitRefused: a process of uid was turned away from submit.sock.
func (l *Log) SubmitRefused(uid int, reason string) {
	l.event("submit-refused", "uid", number(uid), "reason", reason)
}

// DoorOpen: queued takes messages from this process.
func (l *Log) DoorOpen() { l.event("door-open") }

// Kept: queued did not answer for a message, which is in the incoming folder
// until it does.
func (l *Log) Kept(id string, err error) { l.event("kept", "id", id, "err", cause(err)) }

// DoorAbsent: queued does not answer yet; messages are kept in the incoming
// folder until it does.
func (l *Log) DoorAbsent(err error) { l.event("door-absent", "err", cause(err)) }
