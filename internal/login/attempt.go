package login

import (
	"context"
	"strings"

	"posthorn/internal/directory"
	"posthorn/internal/verdict"
)

// Reason says why a login did not happen, for the response code of a protocol.
type Reason int

// The reasons, with the codes of POP3 (RFC 2449, RFC 3206) and IMAP (RFC 5530).
const (
	Credentials Reason = iota + 1 // wrong user or password: [AUTH], [AUTHENTICATIONFAILED]
	Insecure                      // a password in clear was not looked at: -, [PRIVACYREQUIRED]
	Unavailable                   // a temporary trouble of ours: [SYS/TEMP], [UNAVAILABLE]
	InUse                         // another session has the mailbox: [IN-USE], [INUSE]
	Limit                         // as many sessions as this user may have: [SYS/TEMP], [LIMIT]
	Refused                       // this account may not: [SYS/PERM], [CONTACTADMIN]
	Malformed                     // the client broke the exchange off, or made no sense: -, BAD
	Unsupported                   // no such mechanism here: -, -
)

// Failure is a login that did not happen while the connection is still good.
type Failure struct {
	Reason Reason
	Text   string // one line for the client, without a code
	Last   bool   // no further attempt: answer and end the dialogue
	Err    error  // for the log, may be nil
}

// Error returns the text and the cause.
func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Text
	}
	return f.Text + ": " + f.Err.Error()
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// maxFailures is how many wrong passwords a connection gets.
const maxFailures = 4

// Login checks user and password with the directory and hands the client over
// to the session program with tag and what it pipelined.
//
// When it returns nil the session program has answered the command, the
// connection is no longer ours and the dialogue is over. A *Failure is
// answered by the Protocol, which goes on; it has been logged, and the
// directory has held back the answer to a wrong password. Any other error ends
// the connection.
//
// What was written before is sent first, so that answers stay in order.
func (c *Conn) Login(ctx context.Context, user, password, tag string) error {
	if !c.Secure() {
		return &Failure{Reason: Insecure, Text: "a password is taken over TLS only"}
	}
	if err := c.Flush(); err != nil {
		return err
	}
	s := c.server
	var grant directory.Login
	var err error = verdict.Fail(verdict.Never, "5.7.8", "wrong user name or password", nil)
	if sendable(user, password) {
		grant, err = s.dir.Login(ctx, directory.Credentials{
			Service: s.proto.Service(), User: user, Password: password, Client: c.client, TLS: c.TLS(),
		})
	}
	if err != nil {
		return c.refuse(user, err)
	}
	return c.enter(ctx, grant, user, tag)
}

// refuse turns the directory's error into a Failure.
func (c *Conn) refuse(user string, err error) *Failure {
	v := verdict.Of(err)
	f := &Failure{Reason: Unavailable, Text: "login is not possible right now, try again later", Err: err}
	switch {
	case v.Kind == verdict.Never && v.Status == "5.7.8": // RFC 4954 6
		f.Reason, f.Text = Credentials, "wrong user name or password"
	case v.Kind == verdict.Never && v.Status == "5.5.2":
		return &Failure{Reason: Malformed, Text: v.Text}
	case v.Kind == verdict.Never && v.Status == "5.5.4":
		return &Failure{Reason: Unsupported, Text: v.Text}
	case v.Kind == verdict.Never:
		f.Reason, f.Text = Refused, v.Text
	}
	c.server.log.LoginFailed(c.sid, c.server.proto.Service(), c.client.String(), user, f.Text, err)
	if f.Reason != Credentials {
		return f
	}
	c.failed++
	f.Last = c.failed >= maxFailures
	return f
}

// sendable tells whether words fit into a request to the directory, which has
// nobody of another kind.
func sendable(words ...string) bool {
	for _, w := range words {
		if len(w) > 1024 || strings.ContainsAny(w, "\x00\r\n") {
			return false
		}
	}
	return true
}
