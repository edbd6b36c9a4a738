package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"posthorn/internal/password"
)

// bindingType is the one channel binding that there is (RFC 9266).
const bindingType = "tls-exporter"

// scramDialogue is the server side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802,
// RFC 7677). A user who has no keys, or is none, gets the challenge of somebody
// who has, and fails in the end as with a wrong password.
type scramDialogue struct {
	*dialogue
	plus   bool
	header string // gs2-header, as it came
	bare   string // client-first-message-bare
	server string // server-first-message
	nonce  string // of both
	who    identity
	keys   password.Keys
	real   bool // keys are the user's
}

// first takes client-first-message (RFC 5802 7).
func (x *scramDialogue) first(ctx context.Context, response []byte) (result, error) {
	if response == nil {
		return result{then: x.first}, nil
	}
	identity, user, nonce, err := x.parseFirst(string(response))
	if err != nil {
		return result{}, err
	}
	x.a.setUser(user, x.domain())
	if !x.actsAs(identity) {
		return over(identityOf(x.a), x.s.settle(x.a, "malformed"), nil)
	}
	if x.downgraded() {
		return over(identityOf(x.a), x.s.settle(x.a, "binding"), nil)
	}
	if err := x.find(ctx); err != nil {
		return result{}, err
	}
	x.nonce = nonce + x.s.nonce()
	x.server = fmt.Sprintf("r=%s,s=%s,i=%d", x.nonce, base64.StdEncoding.EncodeToString(x.keys.Salt), x.keys.Rounds)
	return result{challenge: []byte(x.server), then: x.final}, nil
}

// parseFirst takes client-first-message apart and keeps what the proof is for.
func (x *scramDialogue) parseFirst(text string) (identity, user, nonce string, err error) {
	flag, rest, _ := strings.Cut(text, ",")
	authzid, bare, found := strings.Cut(rest, ",")
	if !found || len(text) > maxKept || !utf8.ValidString(text) || strings.ContainsRune(text, 0) || !x.flagged(flag) {
		return "", "", "", errResponse()
	}
	x.header, x.bare = text[:len(text)-len(bare)], bare
	// An m= in front is an extension that must be known (RFC 5802 5.1).
	name, rest, _ := strings.Cut(bare, ",")
	r, _, _ := strings.Cut(rest, ",")
	name, isName := strings.CutPrefix(name, "n=")
	nonce, isNonce := strings.CutPrefix(r, "r=")
	user, err = saslName(name)
	if !isName || !isNonce || !printable(nonce) || user == "" || err != nil {
		return "", "", "", errResponse()
	}
	if authzid == "" {
		return "", user, nonce, nil
	}
	authzid, isAuthzid := strings.CutPrefix(authzid, "a=")
	identity, err = saslName(authzid)
	if !isAuthzid || identity == "" || err != nil {
		return "", "", "", errResponse()
	}
	return identity, user, nonce, nil
}

// flagged says whether gs2-cbind-flag fits the mechanism (RFC 5802 6).
func (x *scramDialogue) flagged(flag string) bool {
	if x.plus {
		return flag == "p="+bindingType && x.binding != nil
	}
	return flag == "n" || flag == "y"
}

// downgraded says whether the client was kept from seeing that this server
// offers channel binding (RFC 5802 6).
func (x *scramDialogue) downgraded() bool {
	return strings.HasPrefix(x.header, "y") && x.binding != nil && x.set.conf.AuthMechanism(mechScramPlus)
}

// find looks for the user and his keys.
func (x *scramDialogue) find(ctx context.Context) (err error) {
	users := x.set.users.Get()
	x.who = identityOf(x.a)
	if x.a.named {
		if x.who, err = x.s.identify(ctx, x.set, users, *x.a); err != nil {
			return err
		}
	}
	if x.who.stored != "" {
		hash, err := password.Parse(x.who.stored)
		if err != nil {
			return err
		}
		x.keys, x.real = hash.Keys()
	}
	if !x.real {
		x.keys = password.NoKeys(users.keys, users.secret, x.a.user)
	}
	return nil
}

// final takes client-final-message and answers with server-final-message, which
// the client acknowledges with an empty response.
func (x *scramDialogue) final(_ context.Context, response []byte) (result, error) {
	// The proof comes last, behind what it is for (RFC 5802 7).
	without, proof, found := strings.Cut(string(response), ",p=")
	channel, rest, _ := strings.Cut(without, ",")
	nonce, _, _ := strings.Cut(rest, ",")
	bound, isBound := strings.CutPrefix(channel, "c=")
	sum, err := base64.StdEncoding.Strict().DecodeString(proof)
	got, berr := base64.StdEncoding.Strict().DecodeString(bound)
	if !found || !isBound || nonce != "r="+x.nonce || err != nil || berr != nil {
		return result{}, errResponse()
	}
	said := x.bare + "," + x.server + "," + without
	if reason := x.s.settle(x.a, x.reason(got, sum, said)); reason != "" {
		return over(x.who, reason, nil)
	}
	last := "v=" + base64.StdEncoding.EncodeToString(x.keys.Signature(said))
	return result{challenge: []byte(last), then: func(_ context.Context, response []byte) (result, error) {
		if len(response) > 0 {
			return result{}, errResponse()
		}
		return over(x.who, "", nil)
	}}, nil
}

// reason says for the log why the login fails, or "".
func (x *scramDialogue) reason(bound, proof []byte, said string) string {
	want := []byte(x.header)
	if x.plus {
		want = append(want, x.binding...)
	}
	proves := x.keys.Proves(proof, said)
	switch {
	case !x.a.named:
		return "malformed"
	case !bytes.Equal(bound, want):
		return "binding"
	case !x.real:
		return "unknown"
	}
	return x.who.reason(proves)
}

// identityOf is that of an attempt whose user nobody knows.
func identityOf(a *attempt) identity { return identity{user: a.user} }

// saslName undoes the escapes of a name (RFC 5802 7, saslname).
func saslName(s string) (string, error) {
	plain := strings.NewReplacer("=2C", "", "=3D", "").Replace(s)
	if strings.ContainsAny(plain, "=,") {
		return "", errResponse()
	}
	return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(s), nil
}

// printable says whether s can be a nonce (RFC 5802 7); it has no comma.
func printable(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '!' || r > '~' }) < 0
}

// newNonce is the server's part of a nonce: 144 random bits.
func newNonce() string {
	var b [18]byte
	rand.Read(b[:]) // never fails: the runtime ends the program instead
	return base64.StdEncoding.EncodeToString(b[:])
}
