package directory

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/verdict"
)

// Mechanisms for some connections only: with a channel binding, and with a
// certificate of the client.
const (
	ScramPlus = "SCRAM-SHA-256-PLUS"
	External  = "EXTERNAL"
)

// greetingTimeout bounds the wait for what a client is told before it has said
// anything.
const greetingTimeout = 5 * time.Second

// maxResponse bounds a response: in base64 it is one line of a request.
const maxResponse = attr.MaxLine / 4 * 3 * 9 / 10

// Step is a response of a client on its way through a SASL mechanism (RFC 4422).
type Step struct {
	Exchange string // of the Challenge that is answered; "" begins
	Response []byte // nil: none came with the command

	// What the first step says.
	Service     string // smtp, imap or pop3
	Mechanism   string
	Client      netip.Addr
	TLS         bool
	TLSExporter []byte   // channel binding (RFC 9266); nil where there is none
	Certificate []string // names of the certificate that the client has proved to have
}

// Challenge is what a client is asked next, or the end.
type Challenge struct {
	Text     []byte
	Exchange string // for the next Step; "" when the login is done
	Login           // then
}

// Mechanisms returns the names of the SASL mechanisms that some account could
// use, in capitals.
func (c *Client) Mechanisms(ctx context.Context, service string) ([]string, error) {
	l, err := c.mechanisms(ctx, attr.Attr{Name: "service", Value: service})
	if err != nil {
		return nil, err
	}
	return l.All("mechanism"), nil
}

func (c *Client) mechanisms(ctx context.Context, about attr.Attr) (attr.List, error) {
	const request = "mechanisms"
	if l, ok := c.memory.recall(question(request, about), time.Now()); ok {
		return l, nil // as a rule, and without a clock that has to be set
	}
	ctx, cancel := context.WithTimeout(ctx, greetingTimeout)
	defer cancel()
	return c.askOnce(ctx, request, about)
}

// SASL takes a step. A login that fails is never 5.7.8, whatever is wrong, held
// back as Login's answer; 5.5.2 is a response that the mechanism cannot read, and
// 5.5.4 a mechanism that is not offered. With an error the answer may hold the user.
func (c *Client) SASL(ctx context.Context, s Step) (Challenge, error) {
	if len(s.Response) > maxResponse {
		return Challenge{}, verdict.Fail(verdict.Never, "5.5.2", "response too long", nil)
	}
	l, err := c.do(ctx, "sasl", s.list())
	if err != nil {
		return Challenge{}, err
	}
	holdBack(ctx, l)
	ch := Challenge{Exchange: l.Get("exchange"), Login: Login{User: l.Get("user"), Ticket: l.Get("ticket")}}
	if err := outcome(l); err != nil {
		return ch, err
	}
	if ch.Text, err = base64.StdEncoding.DecodeString(l.Get("challenge")); err != nil {
		return Challenge{}, fmt.Errorf("asking authd: found a challenge that is not base64")
	}
	return ch, nil
}

// list writes the step as a request.
func (s Step) list() attr.List {
	b64 := base64.StdEncoding.EncodeToString
	if s.Exchange != "" {
		return attr.List{{Name: "exchange", Value: s.Exchange}, {Name: "response", Value: b64(s.Response)}}
	}
	l := attr.List{{Name: "service", Value: s.Service}, {Name: "mechanism", Value: s.Mechanism},
		{Name: "client", Value: clientString(s.Client)}, {Name: "tls", Value: yesNo(s.TLS)}}
	if s.TLSExporter != nil {
		l.Add("tls-exporter", b64(s.TLSExporter))
	}
	for _, name := range s.Certificate {
		l.Add("certificate", name)
	}
	if s.Response != nil {
		l.Add("response", b64(s.Response))
	}
	return l
}

// Usable returns the mechanisms of all that the connection of a first step can
// use.
func (s Step) Usable(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return name == ScramPlus && s.TLSExporter == nil || name == External && len(s.Certificate) == 0
	})
}
