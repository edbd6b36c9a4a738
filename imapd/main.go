// Command imapd speaks IMAP with strangers: TLS, capabilities and the login
// (RFC 3501 sections 6.1 and 6.2, RFC 4959, RFC 7888). Whoever has logged in is
// handed over to imap-session.
//
// It runs as posthorn-imap, may read its configuration and the certificates,
// and reaches no mail; it connects to auth.sock and imap-session.sock.
package main

import (
	"posthorn/internal/daemon"
	"posthorn/internal/login"
)

func main() {
	daemon.FewProcessors()
	daemon.Main("imapd", open)
}

func open(d *daemon.Daemon) (daemon.Service, error) {
	d.Rights.Identity = "imapd"
	return login.New(d, protocol{})
}
