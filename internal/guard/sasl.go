package guard

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"posthorn/internal/verdict"
)

// Bounds of what a login may hold.
const (
	maxUser     = 255
	maxPassword = 1024
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

// newSASL returns the server side of a mechanism.
func newSASL(c *Conn, mech string) (sasl.Server, error) {
	switch mech {
	case sasl.Plain:
		return strict{sasl.NewPlainServer(c.login)}, nil
	case sasl.Login:
		return strict{&loginServer{login: c.login}}, nil
	}
	return nil, &smtp.SMTPError{Code: 504, EnhancedCode: smtp.EnhancedCode{5, 5, 4}, Message: "mechanism not known"}
}

// login checks what PLAIN and LOGIN end in. Nobody acts for another user here.
func (c *Conn) login(identity, user, password string) error {
	if identity != "" && identity != user || user == "" || password == "" || len(user) > maxUser || len(password) > maxPassword {
		return authFailed(verdict.New(verdict.Never, "5.7.8", "authentication failed"))
	}
	if err := c.session.Login(c.ctx, user, password); err != nil {
		return authFailed(verdict.Of(err))
	}
	return nil
}

// authFailed chooses between RFC 4954 6's 535 and 454.
func authFailed(v verdict.Verdict) error {
	code := 454
	if v.Kind == verdict.Never {
		code = 535
	}
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced(v), Message: printable(v.Text)}
}

// strict answers 501 to a response that its mechanism cannot read.
type strict struct{ sasl.Server }

func (s strict) Next(response []byte) ([]byte, bool, error) {
	challenge, done, err := s.Server.Next(response)
	var known *smtp.SMTPError
	if err != nil && !errors.As(err, &known) {
		err = &smtp.SMTPError{Code: 501, EnhancedCode: smtp.EnhancedCode{5, 5, 2}, Message: "malformed response"}
	}
	return challenge, done, err
}

// loginServer is the server side of LOGIN, which no RFC describes: it asks for
// the user and then for the password. A first response may stand in the command.
type loginServer struct {
	login    func(identity, user, password string) error
	user     string
	haveUser bool
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case !l.haveUser:
		l.user, l.haveUser = string(response), true
		return []byte("Password:"), false, nil
	}
	return nil, true, l.login("", l.user, string(response))
}
