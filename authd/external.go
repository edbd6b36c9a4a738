package main

import (
	"context"
	"strings"
)

// external takes the one response of EXTERNAL (RFC 4422 A): whom the client wants
// to be, or nothing. Who he may be says the certificate that he has shown to the
// daemon.
func (d *dialogue) external(ctx context.Context, response []byte) (result, error) {
	if response == nil {
		return result{then: d.external}, nil
	}
	wanted := ""
	if len(response) > 0 {
		d.a.setUser(string(response), d.domain())
		wanted = d.a.user
	}
	users := d.set.users.Get()
	for _, name := range d.certificate {
		owner, ok := users.ByCertificate(name)
		if ok && (wanted == "" || wanted == owner) {
			d.a.setUser(owner, d.domain())
			return over(d.admits(ctx, users))
		}
	}
	return over(identityOf(d.a), d.s.settle(d.a, "certificate"), nil)
}

// possible says whether somebody could use a mechanism.
func (set *settings) possible(mechanism string, users *accounts) bool {
	switch {
	case strings.HasPrefix(mechanism, mechScram):
		return users.scram
	case mechanism == mechBearer || mechanism == mechXOAuth2:
		return set.conf.TokenHelper != ""
	case mechanism == mechExternal:
		return set.conf.TLSClients != "" && users.Certificates()
	}
	return true
}
