// Command pop3d speaks POP3 with strangers: TLS, capabilities and the login
// (RFC 1939 4, RFC 2449, RFC 2595, RFC 5034). Whoever has logged in is handed
// over to pop3-session.
//
// It runs as posthorn-pop3, may read its configuration and the certificates,
// and reaches no mail; it connects to auth.sock and pop3-session.sock.
package main

import (
	"posthorn/internal/daemon"
	"posthorn/internal/login"
)

func main() {
	daemon.FewProcessors()
	daemon.Main("pop3d", open)
}

func open(d *daemon.Daemon) (daemon.Service, error) {
	d.Rights.Identity = "pop3d"
	return login.New(d, protocol{})
}
