// Package login is the listener side of a mailbox protocol: what imapd and
// pop3d do from accept to the hand-over of a logged-in client.
//
// It accepts with limits, speaks TLS, reads lines with deadlines, asks the
// directory for a one-time ticket and gives the client to the session program
// over <service>-session.sock. It knows no command of either protocol: a daemon
// brings a Protocol, which writes the greeting, reads commands and calls
// StartTLS and Login. The whole of a daemon is
//
//	func main() {
//		daemon.Main("pop3d", func(d *daemon.Daemon) (daemon.Service, error) {
//			d.Rights = …
//			return login.New(d, protocol{})
//		})
//	}
//
// and its Protocol's Dialogue has this form:
//
//	func (d *dialogue) Turn(ctx context.Context) (over bool, err error) {
//		line, err := d.conn.ReadLine()
//		switch {
//		case err != nil:
//			return false, err // answered by Refusal where that makes sense
//		case line == "STLS" && d.conn.CanStartTLS():
//			d.conn.WriteString("+OK begin\r\n") // sent before the next read
//			return false, d.conn.StartTLS(ctx)
//		case …:
//			err := d.conn.Login(ctx, user, password, tag)
//			if err == nil {
//				return true, nil // The session program answered the client and owns it.
//			}
//			var f *login.Failure
//			if !errors.As(err, &f) {
//				return false, err
//			}
//			… // write the answer for f.Reason
//			return f.Last, nil
//		}
//	}
//
// A client that is silent between two turns is parked, before it has sent the
// first byte of a TLS handshake too: it has neither a goroutine nor a buffer.
//
// # Passwords in clear
//
// Unless plaintext-login says otherwise, a password is taken over TLS, or from a
// client on the loopback interface, whose bytes no network sees; everybody else
// gets Insecure, and a Protocol leaves the login commands out of its
// capabilities when Secure is false. A proxy on this host that passes strangers'
// clear connections on from loopback defeats this: such a proxy speaks TLS
// itself, or plaintext-login is set to no.
//
// # Hand-over
//
// The request session carries ticket, service, client, tls, sid, the command's
// tag and the bytes already read, with one descriptor: a plain connection goes
// over itself and this process forgets it; of a TLS connection the keys stay
// here and the other end of a socketpair goes over, whose clear bytes are
// relayed until either side ends. An idle relay is parked and holds no buffer. When the
// session program refuses or is down nobody owns the connection but this
// process, which answers the client and goes on.
//
// Rights: the certificates' files and, to connect, auth.sock and
// <service>-session.sock. Nothing of a mailbox is within reach.
package login
