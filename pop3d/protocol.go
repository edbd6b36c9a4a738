package main

import (
	"context"
	"errors"
	"strings"

	"posthorn/internal/login"
	"posthorn/pop3d/internal/pop3"
)

// maxMistakes is how many commands that fail a client may send before it logs
// in.
const maxMistakes = 20

// protocol is POP3's AUTHORIZATION state.
type protocol struct{}

func (protocol) Service() string { return "pop3" }

func (protocol) Refusal(r login.Reason, text string) string { return "-ERR " + code(r) + text + "\r\n" }

// Begin greets a client.
func (protocol) Begin(_ context.Context, c *login.Conn) login.Dialogue {
	c.WriteString("+OK Posthorn ready\r\n")
	return &state{conn: c}
}

// Turn answers one command.
func (s *state) Turn(ctx context.Context) (over bool, err error) {
	line, err := s.conn.ReadLine()
	if err != nil {
		return false, err
	}
	over, err = s.command(ctx, line)
	if !over && err == nil && s.mistakes >= maxMistakes {
		s.conn.WriteString("-ERR too many mistakes\r\n")
		over = true
	}
	return over, err
}

// state is one client before its login.
type state struct {
	conn     *login.Conn
	user     string // from USER, until the next command
	mistakes int
}

// command answers one line. over means that the dialogue is at its end.
func (s *state) command(ctx context.Context, line string) (over bool, err error) {
	cmd, err := pop3.Parse(line)
	if err != nil {
		s.fail("malformed command")
		return false, nil
	}
	user := s.user
	s.user = ""
	switch cmd.Verb {
	case "CAPA":
		s.conn.WriteString(pop3.Capabilities(s.capabilities(ctx)...))
	case "QUIT":
		s.conn.WriteString("+OK bye\r\n")
		return true, nil
	case "STLS":
		return false, s.startTLS(ctx)
	case "USER":
		s.takeUser(cmd.Arg)
	case "PASS":
		return s.pass(ctx, user, cmd.Arg)
	case "AUTH":
		return s.auth(ctx, cmd.Arg)
	case "LANG":
		s.conn.WriteString(pop3.Lang(cmd.Arg))
	case "UTF8":
		// Names, passwords and messages are UTF-8 in any case.
		s.conn.WriteString("+OK UTF8 enabled\r\n")
	case "APOP":
		// No banner of ours has a timestamp to digest (RFC 1939 7).
		s.fail("APOP is not offered")
	default:
		s.fail("unknown command before login")
	}
	return false, nil
}

// fail answers a command that was wrong.
func (s *state) fail(text string) {
	s.mistakes++
	s.conn.WriteString("-ERR " + text + "\r\n")
}

// capabilities are those of this moment: a password is not asked for where it
// would be refused (RFC 2449 6.3, RFC 2595 4).
func (s *state) capabilities(ctx context.Context) []string {
	var more []string
	if s.conn.CanStartTLS() {
		more = append(more, "STLS")
	}
	return append(more, pop3.Logins(s.conn.Mechanisms(ctx))...)
}

// startTLS is STLS (RFC 2595 4).
func (s *state) startTLS(ctx context.Context) error {
	if !s.conn.CanStartTLS() {
		s.fail("TLS is not available or active already")
		return nil
	}
	s.conn.WriteString("+OK begin TLS negotiation\r\n")
	return s.conn.StartTLS(ctx)
}

// takeUser is USER. Whether the name exists is not told (RFC 1939 13).
func (s *state) takeUser(name string) {
	switch {
	case !s.conn.Secure():
		s.fail("a password is taken over TLS only")
	case name == "":
		s.fail("USER needs a name")
	default:
		s.user = name
		s.conn.WriteString("+OK send PASS\r\n")
	}
}

// pass is PASS, right behind a USER (RFC 1939 7).
func (s *state) pass(ctx context.Context, user, password string) (over bool, err error) {
	if user == "" || password == "" {
		s.fail("PASS needs a USER before it and a password")
		return false, nil
	}
	return s.answer(s.conn.Login(ctx, user, password, ""))
}

// auth is AUTH, with or without an initial response (RFC 5034 4).
func (s *state) auth(ctx context.Context, arg string) (over bool, err error) {
	words := strings.Split(arg, " ")
	if arg == "" || len(words) > 2 {
		s.fail("AUTH needs a mechanism and at most one response")
		return false, nil
	}
	return s.answer(s.conn.Authenticate(ctx, "", words[0], words[1:]...))
}

// answer tells the client why it is not logged in. After a success nothing of the
// connection is ours.
func (s *state) answer(err error) (over bool, _ error) {
	var f *login.Failure
	if !errors.As(err, &f) {
		return true, err
	}
	s.fail(code(f.Reason) + f.Text)
	return f.Last, nil
}

// code returns the response code for a reason (RFC 2449 8.1, RFC 3206 3).
func code(r login.Reason) string {
	switch r {
	case login.Credentials:
		return "[AUTH] "
	case login.InUse:
		return "[IN-USE] "
	case login.Unavailable, login.Limit:
		return "[SYS/TEMP] "
	case login.Refused:
		return "[SYS/PERM] "
	}
	return ""
}
