package evlog

import "time"

// What `posthorn run` may say of the daemons it keeps.

// Start: the daemon name runs as process pid.
func (l *Log) Start(name string, pid int) { l.event("start", "name", name, "pid", number(pid)) }

// Died: the daemon name ended or could not be started, and is started again
// after a wait.
func (l *Log) Died(name string, err error, again time.Duration) {
	l.event("died", "name", name, "err", cause(err), "again", again.String())
}
