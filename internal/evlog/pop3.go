package evlog

// What pop3-session may say, besides what every session program says.

// POP3Ended: user's session is over; nretr messages were read in full, size is
// their octets, ndele were removed at QUIT. err is what ended it instead of a
// QUIT.
func (l *Log) POP3Ended(sid, user string, nretr, ndele int, size int64, err error) {
	l.event("pop3-ended", "sid", sid, "user", user, "nretr", number(nretr), "ndele", number(ndele),
		"size", number(size), "err", cause(err))
}
