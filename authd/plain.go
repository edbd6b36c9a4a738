package main

import (
	"context"

	"github.com/emersion/go-sasl"
)

// plain takes the one response of PLAIN (RFC 4616 2).
func (d *dialogue) plain(ctx context.Context, response []byte) (result, error) {
	if response == nil {
		return result{then: d.plain}, nil
	}
	var identity, user, password string
	server := sasl.NewPlainServer(func(i, u, p string) error {
		identity, user, password = i, u, p
		return nil
	})
	if _, done, err := server.Next(response); err != nil || !done || user == "" || password == "" {
		return result{}, errResponse()
	}
	d.a.setUser(user, d.domain())
	if !d.actsAs(identity) {
		return over(identityOf(d.a), d.s.settle(d.a, "malformed"), nil)
	}
	return d.password(ctx, password)
}

// login takes the first response of LOGIN, which no RFC describes: it asks for
// the user and then for the password. The user may stand in the command.
func (d *dialogue) login(_ context.Context, response []byte) (result, error) {
	if response == nil {
		return result{challenge: []byte("Username:"), then: d.login}, nil
	}
	if len(response) > maxKept {
		return result{}, errResponse()
	}
	d.a.setUser(string(response), d.domain())
	return result{challenge: []byte("Password:"), then: func(ctx context.Context, response []byte) (result, error) {
		return d.password(ctx, string(response))
	}}, nil
}

// password ends an exchange that has come to a password.
func (d *dialogue) password(ctx context.Context, password string) (result, error) {
	d.a.setPassword(password)
	return over(d.s.check(ctx, d.set, *d.a))
}
