package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of the helper that knows tokens.
const (
	tokensAtOnce = 8
	tokenTimeout = 10 * time.Second
	tokenOutput  = 1024 // bytes: one name
)

// tokenGrade stands in the place of the stored password where a token was found
// good; no password is stored so.
const tokenGrade = "{TOKEN}"

// token takes the one response of OAUTHBEARER (RFC 7628 3.1) or XOAUTH2. Who
// fails is told so by a challenge and then, whatever is answered, by the end
// (RFC 7628 3.2.2).
func (d *dialogue) token(ctx context.Context, response []byte) (result, error) {
	if response == nil {
		return result{then: d.token}, nil
	}
	read := parseBearer
	if d.a.mechanism == mechXOAuth2 {
		read = parseXOAuth2
	}
	user, token, err := read(string(response))
	if err != nil {
		return result{}, err
	}
	if user != "" {
		d.a.setUser(user, d.domain())
	}
	who, reason, err := d.owner(ctx, user != "", token)
	if err != nil || reason == "" {
		return over(who, reason, err)
	}
	return result{challenge: []byte(`{"status":"invalid_token"}`), then: func(context.Context, []byte) (result, error) {
		return over(who, reason, nil)
	}}, nil
}

// owner returns whose token it is, or the reason for the log why nobody logs in
// by it. claimed says that the client has named the user.
func (d *dialogue) owner(ctx context.Context, claimed bool, token string) (identity, string, error) {
	if d.s.guard.refuses(d.a.network, d.a.user) {
		return identityOf(d.a), "guard", nil
	}
	users := d.set.users.Get()
	if claimed && d.a.named && d.s.verified.has(d.a.user, tokenGrade, token) {
		return d.admits(ctx, users)
	}
	var name string
	var err error
	busy := d.s.tokens.do(ctx, d.a.network, func() { name, err = d.s.askToken(ctx, token) })
	switch {
	case busy != nil || err != nil:
		return identityOf(d.a), "", errors.Join(busy, err)
	case name == "" || claimed && !d.actsAs(name):
		return identityOf(d.a), d.s.settle(d.a, "token"), nil
	}
	d.a.setUser(name, d.domain())
	who, reason, err := d.admits(ctx, users)
	if err == nil && reason == "" {
		d.s.verified.add(who.user, tokenGrade, token)
	}
	return who, reason, err
}

// admits finds the user who has shown himself without a password. One whose
// account has none that could be right does not log in by other means either.
func (d *dialogue) admits(ctx context.Context, users *accounts) (identity, string, error) {
	who := identityOf(d.a)
	if d.a.named {
		var err error
		if who, err = d.s.identify(ctx, d.set, users, *d.a); err != nil {
			return who, "", err
		}
	}
	return who, d.s.settle(d.a, who.reason(true)), nil
}

// parseBearer reads the response of OAUTHBEARER (RFC 7628 3.1): gs2-header, then
// pairs between octets 1.
func parseBearer(text string) (user, token string, err error) {
	header, rest, found := strings.Cut(text, ",\x01")
	flag, authzid, cut := strings.Cut(header, ",")
	if !found || !cut || flag != "n" && flag != "y" || !utf8.ValidString(text) {
		return "", "", errResponse()
	}
	if authzid != "" {
		name, ok := strings.CutPrefix(authzid, "a=")
		if user, err = saslName(name); !ok || user == "" || err != nil {
			return "", "", errResponse()
		}
	}
	token, err = bearer(rest)
	return user, token, err
}

// parseXOAuth2 reads the response of XOAUTH2, which no RFC describes: user=, then
// pairs as those of OAUTHBEARER.
func parseXOAuth2(text string) (user, token string, err error) {
	name, rest, found := strings.Cut(text, "\x01")
	user, ok := strings.CutPrefix(name, "user=")
	if !found || !ok || user == "" || !utf8.ValidString(text) {
		return "", "", errResponse()
	}
	token, err = bearer(rest)
	return user, token, err
}

// bearer finds the token in key=value pairs, each ended by an octet 1, and all
// together by another one. Its scheme has no case (RFC 6750 2.1, RFC 9110 11.1).
func bearer(pairs string) (token string, err error) {
	list, ok := strings.CutSuffix(pairs, "\x01\x01")
	for pair := range strings.SplitSeq(list, "\x01") {
		key, value, _ := strings.Cut(pair, "=")
		scheme, rest, _ := strings.Cut(value, " ")
		if key == "auth" && strings.EqualFold(scheme, "Bearer") {
			token = strings.Trim(rest, " ")
		}
	}
	if !ok || !isToken(token) {
		return "", errResponse()
	}
	return token, nil
}

// isToken says whether s is a b64token (RFC 6750 2.1).
func isToken(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") == ""
}

// tokenRefused is the exit status of a helper for a token that is not good.
const tokenRefused = 1

// runTokenHelper gives a token to the program and returns the user whom it names,
// or "" when the token is not good.
func runTokenHelper(ctx context.Context, program, token string) (user string, err error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	cmd.Stdin = strings.NewReader(token + "\n")
	var out bytes.Buffer
	cmd.Stdout = &limitedWriter{&out, tokenOutput}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == tokenRefused:
		return "", nil
	case err != nil:
		return "", fmt.Errorf("token helper: %w", err)
	}
	user, rest, ended := strings.Cut(out.String(), "\n")
	if user == "" || rest != "" || !ended {
		return "", fmt.Errorf("token helper: found %.100q, expected one line with a user", out.String())
	}
	return user, nil
}
