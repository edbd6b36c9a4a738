package main

import (
	"context"
	"errors"
	"slices"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/login"
)

// Bounds of a stranger's input. Lines are bounded by login.Conn.
const (
	maxCommand  = 48 << 10 // with literals; a line may have 40 KiB
	maxLiterals = 4        // LOGIN has two
	maxDiscard  = 64 << 10
	maxMistakes = 20 // commands that fail before the login
)

// protocol is IMAP's not authenticated state.
type protocol struct{}

// Service returns the name of the service.
func (protocol) Service() string { return "imap" }

// Refusal returns what a client is told that is sent away.
func (protocol) Refusal(r login.Reason, text string) string {
	return "* BYE " + code(r) + text + "\r\n"
}

// Begin greets a client.
func (protocol) Begin(ctx context.Context, c *login.Conn) login.Dialogue {
	s := newState(c)
	c.WriteString("* OK [CAPABILITY " + s.capabilities(ctx) + "] Posthorn ready\r\n")
	return s
}

// Resume takes a client that came back by UNAUTHENTICATE (RFC 8437).
func (protocol) Resume(c *login.Conn) login.Dialogue { return newState(c) }

// Turn answers one command.
func (s *state) Turn(ctx context.Context) (over bool, err error) {
	defer s.read.Rest()
	over, err = s.turn(ctx)
	switch {
	case errors.Is(err, wire.ErrFlood):
		s.conn.WriteString("* BYE literal too large\r\n")
		return true, nil
	case over || err != nil:
		return over, err
	case s.mistakes >= maxMistakes:
		s.conn.WriteString("* BYE too many mistakes\r\n")
		return true, nil
	}
	return false, nil
}

// state is one client before its login.
type state struct {
	conn     *login.Conn
	read     *wire.Reader
	mistakes int
}

func newState(c *login.Conn) *state {
	s := &state{conn: c}
	s.read = wire.NewReader(c, wire.Limits{
		Command: maxCommand, Literals: maxLiterals, Discard: maxDiscard,
	}, s.invite)
	return s
}

// invite asks a client for the literal it wants to send (RFC 3501 section 7.5).
// The next read sends it.
func (s *state) invite() error {
	s.conn.WriteString("+ OK\r\n")
	return nil
}

// capabilities are those of this moment: a password is not asked for where it
// would be refused (RFC 3501 section 6.2.3).
func (s *state) capabilities(ctx context.Context) string {
	list := "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID"
	if s.conn.CanStartTLS() {
		list += " STARTTLS"
	}
	all := s.conn.Mechanisms(ctx)
	for _, name := range all {
		list += " AUTH=" + name
	}
	if !slices.Contains(all, login.Plain) {
		list += " LOGINDISABLED"
	}
	return list
}

// turn answers one command. over means that the dialogue is at its end.
func (s *state) turn(ctx context.Context) (over bool, err error) {
	cmd, err := s.read.Command()
	var refused *wire.Refused
	if errors.As(err, &refused) {
		s.fail(refused.Tag, "BAD "+refused.Text)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	over, err = s.command(ctx, cmd)
	var syntax *wire.SyntaxError
	if errors.As(err, &syntax) {
		s.fail(cmd.Tag, "BAD "+syntax.Text)
		return false, nil
	}
	return over, err
}

// command runs one command. A *wire.SyntaxError is answered by turn.
func (s *state) command(ctx context.Context, cmd *wire.Command) (over bool, err error) {
	switch cmd.Name {
	case "LOGIN":
		return s.login(ctx, cmd)
	case "AUTHENTICATE":
		return s.authenticate(ctx, cmd)
	case "ID":
		return false, s.id(cmd)
	case "CAPABILITY", "NOOP", "LOGOUT", "STARTTLS":
		if err := cmd.Args.End(); err != nil {
			return false, err
		}
		return s.bare(ctx, cmd)
	}
	s.fail(cmd.Tag, "BAD unknown command before login")
	return false, nil
}

// bare runs a command without arguments.
func (s *state) bare(ctx context.Context, cmd *wire.Command) (over bool, err error) {
	switch cmd.Name {
	case "STARTTLS":
		return false, s.startTLS(ctx, cmd.Tag)
	case "CAPABILITY":
		s.conn.WriteString("* CAPABILITY " + s.capabilities(ctx) + "\r\n")
	case "LOGOUT":
		s.conn.WriteString("* BYE logging out\r\n")
		over = true
	}
	s.conn.WriteString(cmd.Tag + " OK " + cmd.Name + " completed\r\n")
	return over, nil
}

// fail answers a command that was wrong.
func (s *state) fail(tag, text string) {
	s.mistakes++
	s.conn.WriteString(tag + " " + text + "\r\n")
}

func (s *state) id(cmd *wire.Command) error {
	if err := cmd.Args.Space(); err != nil {
		return err
	}
	if err := cmd.Args.ID(); err != nil {
		return err
	}
	if err := cmd.Args.End(); err != nil {
		return err
	}
	s.conn.WriteString("* ID (\"name\" \"Posthorn\")\r\n" + cmd.Tag + " OK ID completed\r\n")
	return nil
}

// startTLS is STARTTLS (RFC 3501 section 6.2.1).
func (s *state) startTLS(ctx context.Context, tag string) error {
	if !s.conn.CanStartTLS() {
		s.fail(tag, "BAD TLS is not available or active already")
		return nil
	}
	s.conn.WriteString(tag + " OK begin TLS negotiation\r\n")
	return s.conn.StartTLS(ctx)
}
