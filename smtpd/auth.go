package main

import (
	"context"

	"posthorn/internal/directory"
	"posthorn/internal/guard"
	"posthorn/internal/tlsconf"
	"posthorn/internal/verdict"
)

// authService is what authd knows this daemon's logins by.
const authService = "smtp"

// Mechanisms asks authd. When it does not answer the usual one is offered: who
// tries it hears that it is not possible at present.
func (s *session) Mechanisms(ctx context.Context) []string {
	all, err := s.s.authd.Mechanisms(ctx, authService)
	if err != nil {
		all = []string{"PLAIN"}
	}
	return s.firstStep().Usable(all)
}

// firstStep says what authd has to know of the connection.
func (s *session) firstStep() directory.Step {
	step := directory.Step{Service: authService, Client: s.c.Client()}
	if state := s.c.TLSState(); state != nil {
		step.TLS, step.TLSExporter, step.Certificate = true, tlsconf.Exporter(*state), tlsconf.Names(*state)
	}
	return step
}

// Authenticate passes challenges and responses between authd and the client. What
// one who fails is told does not say what was wrong.
func (s *session) Authenticate(mechanism string) guard.Exchange {
	step := s.firstStep()
	step.Mechanism = mechanism
	return func(ctx context.Context, response []byte) (challenge []byte, done bool, err error) {
		step.Response = response
		ch, err := s.s.authd.SASL(ctx, step)
		if err != nil {
			s.s.log.LoginFailed(s.c.SID(), s.kind.name, s.ip(), ch.User, verdict.Of(err).Text, hidden(err))
			return nil, false, err
		}
		if ch.Exchange != "" {
			step.Exchange = ch.Exchange
			return ch.Text, false, nil
		}
		s.user = ch.User
		s.s.log.LoggedIn(s.c.SID(), s.kind.name, s.ip(), s.user)
		return nil, true, nil
	}
}
