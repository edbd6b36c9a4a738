package main

import (
	"context"
	"errors"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/login"
)

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
	return s.answer(cmd.Tag, s.conn.Login(ctx, words[0], words[1], cmd.Tag))
}

// authenticate is AUTHENTICATE, with or without an initial response (RFC 3501
// section 6.2.2, RFC 4959).
func (s *state) authenticate(ctx context.Context, cmd *wire.Command) (over bool, err error) {
	name, initial, err := mechanism(cmd.Args)
	if err != nil {
		return false, err
	}
	return s.answer(cmd.Tag, s.conn.Authenticate(ctx, cmd.Tag, name, initial...))
}

// mechanism takes the arguments of AUTHENTICATE.
func mechanism(args *wire.Scanner) (name string, initial []string, err error) {
	if err := args.Space(); err != nil {
		return "", nil, err
	}
	if name, err = args.Atom(); err != nil {
		return "", nil, err
	}
	if args.Accept(' ') {
		response, err := args.AString()
		if err != nil {
			return "", nil, err
		}
		initial = append(initial, response)
	}
	return name, initial, args.End()
}

// answer tells the client why it is not logged in. After a success nothing of the
// connection is ours: the session program answers the command.
func (s *state) answer(tag string, err error) (over bool, _ error) {
	var f *login.Failure
	if !errors.As(err, &f) {
		return true, err
	}
	word := "NO "
	if f.Reason == login.Malformed {
		word = "BAD "
	}
	s.fail(tag, word+code(f.Reason)+f.Text)
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
	case login.Limit:
		return "[LIMIT] "
	case login.Refused:
		return "[CONTACTADMIN] "
	}
	return ""
}
