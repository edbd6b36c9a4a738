package evlog

// What queue-remote may say besides what every daemon says.

// Sent: another host has taken the message for one recipient. host is
// "name[address]", text its reply, tls "no" or the version, with "+verified"
// when the certificate was checked.
func (l *Log) Sent(id, to, host, status, text, tls string, try int) {
	l.event("sent", "id", id, "to", to, "host", host, "verdict", "done", "status", status,
		"text", text, "tls", tls, "try", number(try))
}

// Unsent: one try of one recipient has come to later or never. host is the one
// that decided it, or the last that was tried; text is its reply or what went
// wrong.
func (l *Log) Unsent(id, to, host, kind, status, text, tls string, try int) {
	l.event("unsent", "id", id, "to", to, "host", host, "verdict", kind, "status", status,
		"text", text, "tls", tls, "try", number(try))
}

// HostFailed: one address of one host could not be used; the next one is tried.
func (l *Log) HostFailed(id, host, text string, err error) {
	l.event("host-failed", "id", id, "host", host, "text", text, "err", cause(err))
}

// SendRefused: a request of queued could not be understood or its file is not
// what it says; everybody in it is later.
func (l *Log) SendRefused(id string, err error) {
	l.event("send-refused", "id", id, "err", cause(err))
}
