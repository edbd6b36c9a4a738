package login

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/emersion/go-sasl"
)

// ErrResponse is returned for a SASL response that cannot be one of PLAIN.
var ErrResponse = errors.New("malformed response")

// Plain takes user and password out of the base64 text of a PLAIN response
// (RFC 4616), as it stands in a command line or as a line of its own. "=" is
// the empty response (RFC 5034 4, RFC 4959 3).
//
// An empty user or password is refused, and an authorization identity other
// than the user: nobody acts for somebody else here.
func Plain(text string) (user, password string, err error) {
	if text == "=" {
		text = ""
	}
	response, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return "", "", ErrResponse
	}
	server := sasl.NewPlainServer(func(identity, u, p string) error {
		if u == "" || p == "" || identity != "" && identity != u {
			return ErrResponse
		}
		user, password = u, p
		return nil
	})
	// A nil response would be an invitation to go on, not a response.
	if response == nil {
		response = []byte{}
	}
	if _, done, err := server.Next(response); err != nil || !done {
		return "", "", ErrResponse
	}
	return user, password, nil
}
