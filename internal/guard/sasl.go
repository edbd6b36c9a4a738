package guard

import (
	"encoding/base64"
	"strings"

	"github.com/emersion/go-smtp"

	"posthorn/internal/verdict"
)

// cmdAuth checks where AUTH stands and that its response is base64
// (RFC 4954 4).
func (c *Conn) cmdAuth(arg string) string {
	fields := strings.Fields(arg)
	switch {
	case !c.g.o.Auth:
		c.answer(502, "5.5.1", "AUTH is not offered")
	case c.helo == "":
		c.answer(503, "5.5.1", "say EHLO first")
	case !c.secure:
		c.answer(530, "5.7.0", "say STARTTLS first")
	case c.authed:
		c.answer(503, "5.5.1", "authenticated already")
	case c.mail:
		c.answer(503, "5.5.1", "a transaction is open")
	case len(fields) == 0 || len(fields) > 2:
		c.answer(501, "5.5.4", "expected AUTH, a mechanism and at most one response")
	case len(fields) == 2 && !isResponse(fields[1]):
		c.answer(501, "5.5.2", "response is not base64")
	default:
		c.after = c.authReply
		return "AUTH " + strings.Join(fields, " ")
	}
	return ""
}

// isResponse tells whether go-smtp will decode s.
func isResponse(s string) bool {
	_, err := base64.StdEncoding.DecodeString(s)
	return s == "=" || err == nil
}

// response passes on the answer to a challenge. What is none ends the exchange,
// as "*" does.
func (c *Conn) response(text string, err error) []byte {
	c.sasl = false
	c.after = c.authReply
	if err == nil && (text == "*" || isResponse(text)) {
		return []byte(text + "\r\n")
	}
	c.after = func(int, []byte) []byte { return line(501, "5.5.2", "response is not base64") }
	return []byte("*\r\n")
}

// authReply follows the exchange that go-smtp leads.
func (c *Conn) authReply(code int, r []byte) []byte {
	switch code {
	case 334:
		c.sasl = true
	case 235:
		c.authed = true
		return line(235, "2.7.0", "authenticated")
	case 535:
		if c.count.logins++; c.count.logins >= failedLogins {
			c.send(code, r)
			c.bye("4.7.0", "too many failed logins")
			return nil
		}
	}
	return r
}

// exchange is a mechanism as go-smtp leads it.
type exchange struct {
	c    *Conn
	next Exchange
}

// Next takes a response.
func (e exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	if challenge, done, err = e.next(e.c.ctx, response); err != nil {
		err = authFailed(verdict.Of(err))
	}
	return challenge, done, err
}

// authFailed chooses among the codes of RFC 4954 4 and 6.
func authFailed(v verdict.Verdict) error {
	code := 454
	switch {
	case v.Kind == verdict.Never && v.Status == "5.5.2":
		code = 501
	case v.Kind == verdict.Never && v.Status == "5.5.4":
		code = 504
	case v.Kind == verdict.Never:
		code = 535
	}
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced(v), Message: printable(v.Text)}
}
