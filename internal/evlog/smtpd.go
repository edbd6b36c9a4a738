package evlog

import (
	"posthorn/internal/verdict"
)

// What smtpd may say.

// Accepted: the message is durable and the client was told its id. tls names
// version and cipher suite, user is the login; both may be empty.
func (l *Log) Accepted(id, sid, ip, user, from string, nrcpt int, size int64, tls string) {
	l.event("accepted", "id", id, "sid", sid, "ip", ip, "user", user, "from", bracket(from),
		"nrcpt", number(nrcpt), "size", number(size), "tls", tls)
}

// Rejected: a sender, a recipient or a message was not taken; stage is mail,
// rcpt or data. err is what the client was not told.
func (l *Log) Rejected(id, sid, ip, user, stage, from, to string, v verdict.Verdict, err error) {
	l.event("rejected", "id", id, "sid", sid, "ip", ip, "user", user, "stage", stage, "from", bracket(from), "to", to,
		"verdict", v.Kind.String(), "status", v.Status, "text", v.Text, "err", cause(err))
}

// LoggedIn: a client of smtpd has shown the password of user.
func (l *Log) LoggedIn(sid, service, ip, user string) {
	l.event("logged-in", "sid", sid, "ip", ip, "user", user, "service", service)
}

// Disconnected: an SMTP connection has ended, and why.
func (l *Log) Disconnected(sid, service, ip, reason string, messages int) {
	l.event("disconnected", "sid", sid, "ip", ip, "service", service, "reason", reason, "messages", number(messages))
}

// DoorOpen: queued takes messages from this process.
func (l *Log) DoorOpen() { l.event("door-open") }

// DoorAbsent: queued does not answer yet; messages are kept in the incoming
// folder until it does.
func (l *Log) DoorAbsent(err error) { l.event("door-absent", "err", cause(err)) }
