package client

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// Errors of Auth besides *Refused.
var (
	ErrNoAuth     = errors.New("the server offers neither AUTH PLAIN nor AUTH LOGIN")
	ErrBadAccount = errors.New("user name or password is empty or holds a NUL")
)

// Auth logs in with PLAIN (RFC 4616), else with LOGIN. The caller has seen to
// it that nobody else can read what is sent.
func (c *Conn) Auth(user, password string) error {
	if user == "" || password == "" || strings.ContainsRune(user+password, 0) {
		return ErrBadAccount
	}
	params, _ := c.Ext("AUTH")
	offered := strings.Fields(strings.ToUpper(params))
	switch {
	case slices.Contains(offered, "PLAIN"):
		return c.auth("AUTH PLAIN " + encode("\x00"+user+"\x00"+password))
	case slices.Contains(offered, "LOGIN"):
		return c.auth("AUTH LOGIN", encode(user), encode(password))
	}
	return ErrNoAuth
}

// auth sends the lines in turn, each after a 334 to the one before
// (RFC 4954 4), and wants a 235 at the end.
func (c *Conn) auth(lines ...string) error {
	for i, line := range lines {
		r, err := c.ask(line)
		if err != nil {
			return err
		}
		last := i == len(lines)-1
		if last && r.Code == 235 {
			return nil
		}
		if last || r.Code != 334 {
			return &Refused{"AUTH", r}
		}
	}
	return nil
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
