package evlog

// What imap-session may say, besides what every session program says.

// IMAPFailed: a command of user's session met a local problem; the client was
// told that it is temporary.
func (l *Log) IMAPFailed(sid, user, command string, err error) {
	l.event("imap-failed", "sid", sid, "user", user, "command", command, "err", cause(err))
}

// IMAPEnded: user's session is over after ncmd commands. err is what ended it
// instead of a LOGOUT or the client's closing.
func (l *Log) IMAPEnded(sid, user string, ncmd int, err error) {
	l.event("imap-ended", "sid", sid, "user", user, "ncmd", number(ncmd), "err", cause(err))
}
