package evlog

// What every daemon may say.

// Started: the daemon holds all it needs and serves from now on; landlock is
// the ABI of Landlock in force, 0 for none.
func (l *Log) Started(version string, uid, landlock int) {
	l.event("started", "version", version, "uid", number(uid), "landlock", number(landlock))
}

// Listening: connections to addr are accepted for service.
func (l *Log) Listening(service, addr string) {
	l.event("listening", "service", service, "addr", addr)
}

// AcceptFailed: connections to service cannot be taken for now; said once until
// one is taken again.
func (l *Log) AcceptFailed(service string, err error) {
	l.event("accept-failed", "service", service, "err", cause(err))
}

// InheritedUnused: the parent passed a socket of this name for which the
// configuration has no use, or none left; it was closed.
func (l *Log) InheritedUnused(name string) { l.event("inherited-unused", "name", name) }

// NotPassed: the parent passed sockets, but none for this service, which no
// listen line asks for either; it is not offered.
func (l *Log) NotPassed(service string) { l.event("not-passed", "service", service) }

// Unconfined: the kernel gave less confinement than wanted.
func (l *Log) Unconfined(what string, err error) {
	l.event("unconfined", "what", what, "err", cause(err))
}

// Reloaded: a new configuration is in force; restart names the directives whose
// change waits for the next start.
func (l *Log) Reloaded(file, restart string) { l.event("reloaded", "file", file, "restart", restart) }

// ReloadRefused: the new configuration is not usable, the old one goes on.
func (l *Log) ReloadRefused(file string, err error) {
	l.event("reload-refused", "file", file, "err", cause(err))
}

// Stopping: no new work is taken; what runs is finished.
func (l *Log) Stopping() { l.event("stopping") }

// PeerRefused: a process that may not speak on this socket tried.
func (l *Log) PeerRefused(socket string, pid, uid int) {
	l.event("peer-refused", "socket", socket, "pid", number(pid), "uid", number(uid))
}

// PeerLimited: processes of uid hold as many connections to this socket as one
// uid may have; this one was closed.
func (l *Log) PeerLimited(socket string, pid, uid int) {
	l.event("peer-limited", "socket", socket, "pid", number(pid), "uid", number(uid))
}

// PeerFailed: a request on a socket between daemons could not be read or
// answered.
func (l *Log) PeerFailed(socket string, err error) {
	l.event("peer-failed", "socket", socket, "err", cause(err))
}

// Crashed: a connection or request ended in a bug; only it was closed.
func (l *Log) Crashed(where, what, stack string) {
	l.event("crashed", "where", where, "err", what, "stack", stack)
}

// Fatal: the daemon ends because of err.
func (l *Log) Fatal(err error) { l.event("fatal", "err", cause(err)) }
