package evlog

// What authd may say.

// Login: somebody tried to log in, by a SASL mechanism or without. verdict is
// done, never or later; reason says for never: unknown (no such user, or none who
// may log in this way), password, closed (not this user or not from here),
// malformed, guard (too many failures before), binding (somebody is in between
// client and server), token, or certificate.
func (l *Log) Login(service, mechanism, ip, user, tls, verdict, reason string, err error) {
	l.event("login", "ip", ip, "user", user, "service", service, "mechanism", mechanism, "tls", tls, "verdict", verdict, "reason", reason, "err", cause(err))
}

// Table: a changed table was taken, or with an error was not, and the one
// before stays in force.
func (l *Log) Table(file string, err error) {
	if err != nil {
		l.event("table-refused", "file", file, "err", cause(err))
		return
	}
	l.event("table-taken", "file", file)
}

// Unresolvable: address leads to something that the tables do not hold; line
// is file:line of what is wrong. Mail to address waits until it is mended.
func (l *Log) Unresolvable(address, line, target string, err error) {
	l.event("unresolvable", "to", address, "line", line, "target", target, "err", cause(err))
}

// LookUpFailed: what is asked for could not be looked up; the mail or login
// waits.
func (l *Log) LookUpFailed(what string, err error) {
	l.event("look-up-failed", "what", what, "err", cause(err))
}

// NoPostmaster: neither the configuration nor the aliases say who gets mail
// for postmaster, which waits meanwhile.
func (l *Log) NoPostmaster(file string) { l.event("no-postmaster", "file", file) }

// RequestRefused: a process asked for something unknown, or not for it.
func (l *Log) RequestRefused(request string, pid, uid int) {
	l.event("request-refused", "request", request, "pid", number(pid), "uid", number(uid))
}
