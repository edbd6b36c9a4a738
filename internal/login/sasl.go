package login

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"posthorn/internal/directory"
	"posthorn/internal/tlsconf"
)

// Mechanisms returns the SASL mechanisms that this client can use now, in
// capitals; none where a password would not be taken. When the directory does not
// answer it is the usual one: who tries it hears that it is not possible at
// present.
func (c *Conn) Mechanisms(ctx context.Context) []string {
	if !c.Secure() {
		return nil
	}
	c.offered = c.usable(ctx)
	return c.offered
}

func (c *Conn) usable(ctx context.Context) []string {
	all, err := c.server.dir.Mechanisms(ctx, c.server.proto.Service())
	if err != nil {
		all = []string{Plain}
	}
	return c.firstStep().Usable(all)
}

// Plain is the mechanism without which Login takes no password either.
const Plain = "PLAIN"

// firstStep says what the directory has to know of the connection.
func (c *Conn) firstStep() directory.Step {
	step := directory.Step{Service: c.server.proto.Service(), Client: c.client, TLS: c.TLS()}
	if t := c.encrypted(); t != nil {
		state := t.ConnectionState()
		step.TLSExporter, step.Certificate = tlsconf.Exporter(state), tlsconf.Names(state)
	}
	return step
}

// Authenticate lets the directory lead the client through a SASL mechanism and
// hands it over as Login does, with the same errors. initial is the response that
// stood in the command, if one did: base64, or "=" for an empty one (RFC 5034 4,
// RFC 4959 3). Challenges and responses are lines as IMAP (RFC 9051 6.2.2) and
// POP3 (RFC 5034 4) have them; nothing of them is looked at here.
func (c *Conn) Authenticate(ctx context.Context, tag, mechanism string, initial ...string) error {
	if !c.Secure() {
		return &Failure{Reason: Insecure, Text: "a password is taken over TLS only"}
	}
	step := c.firstStep()
	step.Mechanism = strings.ToUpper(mechanism)
	for _, text := range initial {
		response, err := decode(text)
		if err != nil {
			return err
		}
		step.Response = response
	}
	if !sendable(mechanism) {
		return &Failure{Reason: Unsupported, Text: "mechanism is not offered"}
	}
	for {
		if err := c.Flush(); err != nil {
			return err
		}
		ch, err := c.server.dir.SASL(ctx, step)
		switch {
		case err != nil:
			return c.refuse(ch.User, err)
		case ch.Exchange == "":
			return c.enter(ctx, ch.Login, ch.User, tag)
		}
		step.Exchange = ch.Exchange
		if step.Response, err = c.challenge(ch.Text); err != nil {
			return err
		}
	}
}

// challenge asks the client.
func (c *Conn) challenge(text []byte) (response []byte, err error) {
	c.WriteString("+ " + base64.StdEncoding.EncodeToString(text) + "\r\n")
	line, err := c.ReadLine()
	switch {
	case err != nil:
		return nil, err
	case line == "*":
		return nil, &Failure{Reason: Malformed, Text: "cancelled"}
	}
	return decode(line)
}

// decode undoes the base64 of a response; what it returns is never nil.
func decode(text string) ([]byte, error) {
	if text == "=" {
		text = ""
	}
	response, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, &Failure{Reason: Malformed, Text: "response is not base64"}
	}
	return append([]byte{}, response...), nil
}

// enter hands a client over that has logged in.
func (c *Conn) enter(ctx context.Context, grant directory.Login, user, tag string) error {
	err := c.handOver(ctx, grant.Ticket, tag)
	var f *Failure
	if errors.As(err, &f) {
		c.server.log.LoginFailed(c.sid, c.server.proto.Service(), c.client.String(), user, f.Text, f.Err)
	}
	return err
}
