package main

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/tables"
	"posthorn/internal/verdict"
)

// Names of mechanisms, as the directive auth-mechanisms has them.
const (
	mechPlain     = "PLAIN"
	mechLogin     = "LOGIN"
	mechScram     = "SCRAM-SHA-256"
	mechScramPlus = "SCRAM-SHA-256-PLUS"
	mechBearer    = "OAUTHBEARER"
	mechXOAuth2   = "XOAUTH2"
	mechExternal  = "EXTERNAL"
)

// maxKept bounds a response of which something is kept until the next one.
const maxKept = 1024

// step takes a response of the client; nil is that none came with the command.
// An error of kind never is a response that makes no sense.
type step func(ctx context.Context, response []byte) (result, error)

// result is what comes of a response.
type result struct {
	challenge []byte
	then      step // takes the response to challenge; nil: the exchange is over

	who    identity // who has logged in, when it is over
	reason string   // or why nobody has, for the log
}

// over is the result of an exchange that a password or the like has decided.
func over(who identity, reason string, err error) (result, error) {
	return result{who: who, reason: reason}, err
}

// errResponse is the answer to what no client of the mechanism would say
// (RFC 4954 4).
func errResponse() error {
	return verdict.Fail(verdict.Never, "5.5.2", "malformed response", nil)
}

// dialogue is the server side of the mechanisms, for one client.
type dialogue struct {
	s       *service
	set     *settings
	a       *attempt
	binding []byte // of tls-exporter (RFC 9266); nil where there is none

	certificate []string // names of the client's certificate
}

// mechanisms returns those that somebody could use: the daemons announce no
// other.
func (set *settings) mechanisms(users *accounts) []string {
	return slices.DeleteFunc(slices.Clone(set.conf.AuthMechanisms), func(name string) bool {
		return !set.possible(name, users)
	})
}

// answerMechanisms names the mechanisms.
func (s *service) answerMechanisms() attr.List {
	set := s.settings.Load()
	var answer attr.List
	if seen := set.users.Seen(); seen.Settled() {
		answer.Add("basis", seen.String()+" "+set.users.Path)
	}
	for _, name := range set.mechanisms(set.users.Get()) {
		answer.Add("mechanism", name)
	}
	return answer
}

// sasl takes a response of an exchange that is new, or that an earlier answer
// has named.
func (s *service) sasl(ctx context.Context, owner int, req attr.List) (attr.List, error) {
	arrived := time.Now()
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	x, response, err := s.exchange(owner, req)
	if err != nil {
		return nil, err
	}
	out, err := x.then(ctx, response)
	switch {
	case err != nil && verdict.Of(err).Kind == verdict.Never:
		return nil, err
	case err == nil && out.then != nil:
		x.then = out.then
		return attr.List{{Name: "challenge", Value: base64.StdEncoding.EncodeToString(out.challenge)},
			{Name: "exchange", Value: s.exchanges.put(x)}}, nil
	}
	answer, err := s.conclude(arrived, *x.attempt, out.who, out.reason, err)
	if err != nil {
		answer.Add("user", x.attempt.user)
	}
	return answer, err
}

// exchange returns the exchange of a request and the response in it.
func (s *service) exchange(owner int, req attr.List) (x *exchange, response []byte, err error) {
	text, given := req.Get("response"), len(req.All("response")) > 0
	if response, err = base64.StdEncoding.Strict().DecodeString(text); err != nil {
		return nil, nil, errResponse()
	}
	name := req.Get("exchange")
	if name == "" {
		if !given {
			response = nil
		}
		x, err = s.begin(owner, req)
		return x, response, err
	}
	x, ok := s.exchanges.take(name, owner)
	if !ok {
		return nil, nil, verdict.Fail(verdict.Later, "4.7.0", tookTooLong, nil)
	}
	return x, response, nil
}

// begin makes the exchange that a request asks for.
func (s *service) begin(owner int, req attr.List) (*exchange, error) {
	set := s.settings.Load()
	a, err := parseOrigin(req)
	if err != nil {
		return nil, err
	}
	a.mechanism = strings.ToUpper(req.Get("mechanism"))
	d := &dialogue{s: s, set: set, a: &a, certificate: req.All("certificate")}
	if text := req.Get("tls-exporter"); text != "" {
		if d.binding, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, malformed("found tls-exporter=%.20q, expected base64", text)
		}
	}
	first := d.first()
	if first == nil || !slices.Contains(set.mechanisms(set.users.Get()), a.mechanism) {
		return nil, verdict.Fail(verdict.Never, "5.5.4", "mechanism is not offered", nil) // RFC 4954 4
	}
	return &exchange{owner: owner, attempt: &a, then: first}, nil
}

// first returns what takes the first response of the mechanism, or nil for one
// that is unknown.
func (d *dialogue) first() step {
	switch d.a.mechanism {
	case mechPlain:
		return d.plain
	case mechLogin:
		return d.login
	case mechBearer, mechXOAuth2:
		return d.token
	case mechExternal:
		return d.external
	case mechScram, mechScramPlus:
		return (&scramDialogue{dialogue: d, plus: d.a.mechanism == mechScramPlus}).first
	}
	return nil
}

// domain is that of users who name none.
func (d *dialogue) domain() string { return d.set.conf.Domains[0] }

// actsAs says whether an authorization identity is the user himself, or none:
// nobody acts for another here.
func (d *dialogue) actsAs(identity string) bool {
	if identity == "" {
		return true
	}
	canonical, err := tables.Canonical(identity, d.domain())
	return err == nil && canonical == d.a.user
}

// settle tells the guard of an attempt that was made without a password, and
// returns the reason that counts.
func (s *service) settle(a *attempt, reason string) string {
	switch {
	case s.guard.refuses(a.network, a.user):
		return "guard"
	case reason != "":
		s.guard.failed(a.network, a.user)
	default:
		s.guard.succeeded(a.network, a.user)
	}
	return reason
}
