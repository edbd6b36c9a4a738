// Package session is the session side of the hand-over: what imap-session and
// pop3-session do from the request of the login process to the end of a
// session.
//
// A Server answers on <service>-session.sock, where only the login daemon of
// that service may connect. For each request it takes the client's connection
// (a descriptor), learns from authd itself what the one-time ticket grants, so that nothing
// the login side says about user, uid or mailbox counts, and calls the
// program's Opener. The whole of a program is
//
//	func main() {
//		session.Main("pop3-session", func(d *daemon.Daemon) (daemon.Service, error) {
//			p := program{store: mailbox.New(…)}
//			return session.New(d, "pop3", p.open)
//		})
//	}
//
//	func (p program) open(ctx context.Context, c *session.Conn, grant directory.Grant) (session.Session, error) {
//		box, err := p.store.Open(grant.Box.Mail)
//		if err != nil {
//			return nil, err // the login side answers the client, later
//		}
//		return &conversation{conn: c, box: box}, nil
//	}
//
// # Ownership
//
// Until the Opener has returned a Session the connection is the login side's,
// which answers the client when the Opener fails: an Opener reads and writes
// nothing. From then on it is the Session's alone, whose first words, in the
// turn of the event Begin, are the answer to the login command.
//
// # Waiting
//
// A Session has no goroutine of its own. It gets a turn for each event, and
// between two of them it waits in a park.Lot: so its state is in its struct, and
// a silent client costs that struct and no more.
//
// # Whose rights
//
// Without system users the daemon is vmail and runs all sessions itself. As
// root with system-users it runs none: it redeems the ticket and forwards the
// connection, with what was granted, to a child that has the uid of the
// mailbox's owner (package starter). The child runs the same program, holds the
// same Opener, and confines itself to the folders that the users table named for
// its uid when the daemon started; a mailbox elsewhere has a child of its own. A
// child ends after a minute without sessions. The daemon writes no mail then, and parses nothing that clients
// send.
//
// # Stopping
//
// When the program is told to stop, each Conn is ended: its Session gets the
// event Over as soon as it waits, and reads return os.ErrDeadlineExceeded from
// then on, whatever deadline is set; writes go on working, so it can say goodbye.
// After ten seconds connections are shut.
package session
