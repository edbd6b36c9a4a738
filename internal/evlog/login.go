package evlog

// What the listener side of a mailbox protocol (imapd, pop3d) and the session
// side of the hand-over may say.

// ConnectionRefused: a client was sent away before any greeting.
func (l *Log) ConnectionRefused(service, ip, reason string) {
	l.event("connection-refused", "ip", ip, "service", service, "reason", reason)
}

// HandshakeFailed: TLS did not come about, the connection was closed.
func (l *Log) HandshakeFailed(sid, service, ip string, err error) {
	l.event("handshake-failed", "sid", sid, "ip", ip, "service", service, "err", cause(err))
}

// KeysRefused: a certificate's file changed and cannot be used; the keys read
// before stay in use.
func (l *Log) KeysRefused(err error) { l.event("keys-refused", "err", cause(err)) }

// LoginFailed: user is not logged in; text is what the client was told.
func (l *Log) LoginFailed(sid, service, ip, user, text string, err error) {
	l.event("login-failed", "sid", sid, "ip", ip, "user", user, "service", service, "text", text, "err", cause(err))
}

// SessionOpened: user's mailbox is open and the client was told so.
func (l *Log) SessionOpened(sid, service, ip, user string, tls bool) {
	t := "no"
	if tls {
		t = "yes"
	}
	l.event("session-opened", "sid", sid, "ip", ip, "user", user, "service", service, "tls", t)
}

// SessionRefused: a hand-over did not become a session; the login side answers
// the client.
func (l *Log) SessionRefused(sid, service, ip, text string, err error) {
	l.event("session-refused", "sid", sid, "ip", ip, "service", service, "text", text, "err", cause(err))
}

// SessionKicked: an administrator ends a session.
func (l *Log) SessionKicked(sid, service, user string) {
	l.event("session-kicked", "sid", sid, "user", user, "service", service)
}

// SessionClosed: a session is over.
func (l *Log) SessionClosed(sid, service, user string) {
	l.event("session-closed", "sid", sid, "user", user, "service", service)
}
