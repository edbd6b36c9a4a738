package main

import (
	"context"
	"errors"
	"strings"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/login"
)

// insecure is the answer to a password in clear (RFC 5530 section 3); it was
// not looked at.
const insecure = "NO [PRIVACYREQUIRED] a password is taken over TLS only"

// login is LOGIN (RFC 3501 section 6.2.3).
func (s *state) login(ctx context.Context, cmd *wire.Command) (over bool, err error) {
	var words [2]string
	for i := range words {
		if err := cmd.Args.Space(); err != nil {
			return false, err
		}
		if words[i], err = cmd.Args.AString(); err != nil {
			return false, err
		}
	}
	if err := cmd.Args.End(); err != nil {
		return false, err
	}
	if !s.conn.Secure() {
		s.fail(cmd.Tag, insecure)
		return false, nil
	}
	return s.enter(ctx, words[0], words[1], cmd.Tag)
}

// authenticate is AUTHENTICATE PLAIN, with or without an initial response (RFC
// 3501 section 6.2.2, RFC 4959).
func (s *state) authenticate(ctx context.Context, cmd *wire.Command) (over bool, err error) {
	response, initial, err := mechanism(cmd.Args)
	if err != nil {
		return false, err
	}
	if !s.conn.Secure() {
		s.fail(cmd.Tag, insecure)
		return false, nil
	}
	if !initial {
		s.conn.WriteString("+ \r\n")
		if response, err = s.conn.ReadLine(); err != nil {
			return false, err
		}
	}
	if response == "*" {
		s.fail(cmd.Tag, "BAD cancelled")
		return false, nil
	}
	user, password, err := login.Plain(response)
	if err != nil {
		s.fail(cmd.Tag, "BAD malformed PLAIN response")
		return false, nil
	}
	return s.enter(ctx, user, password, cmd.Tag)
}

// mechanism takes the arguments of AUTHENTICATE.
func mechanism(args *wire.Scanner) (response string, initial bool, err error) {
	if err := args.Space(); err != nil {
		return "", false, err
	}
	name, err := args.Atom()
	if err != nil {
		return "", false, err
	}
	if !strings.EqualFold(name, "PLAIN") {
		return "", false, &wire.SyntaxError{Text: "the mechanism offered is PLAIN"}
	}
	if args.Accept(' ') {
		if response, err = args.AString(); err != nil {
			return "", false, err
		}
		initial = true
	}
	return response, initial, args.End()
}

// enter asks for a session. After a success nothing of the connection is ours:
// the session program answers the command.
func (s *state) enter(ctx context.Context, user, password, tag string) (over bool, err error) {
	err = s.conn.Login(ctx, user, password, tag)
	var f *login.Failure
	if !errors.As(err, &f) {
		return true, err
	}
	s.fail(tag, "NO "+code(f.Reason)+f.Text)
	return f.Last, nil
}

// code returns the response code for a reason (RFC 5530 section 3).
func code(r login.Reason) string {
	switch r {
	case login.Credentials:
		return "[AUTHENTICATIONFAILED] "
	case login.Insecure:
		return "[PRIVACYREQUIRED] "
	case login.InUse:
		return "[INUSE] "
	case login.Unavailable:
		return "[UNAVAILABLE] "
	case login.Refused:
		return "[CONTACTADMIN] "
	}
	return ""
}
