// Package scram is the client side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS
// (RFC 5802, RFC 7677), written from the RFCs alone for the tests of the server
// side.
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Client is one exchange. Header is the gs2-header, such as "n,," or
// "p=tls-exporter,,", and Binding what is behind it in the channel's proof.
type Client struct {
	User, Password, Nonce string
	Header                string
	Binding               []byte

	bare, said string
	salted     []byte
}

// First returns client-first-message.
func (c *Client) First() string {
	user := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(c.User)
	c.bare = "n=" + user + ",r=" + c.Nonce
	return c.Header + c.bare
}

// Final answers server-first-message with client-final-message.
func (c *Client) Final(server string) (string, error) {
	fields := strings.Split(server, ",")
	if len(fields) != 3 || !strings.HasPrefix(fields[0], "r="+c.Nonce) || len(fields[0]) == len(c.Nonce)+2 {
		return "", fmt.Errorf("found %q, expected r=%s…,s=,i=", server, c.Nonce)
	}
	salt, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(fields[1], "s="))
	if err != nil {
		return "", err
	}
	rounds, err := strconv.Atoi(strings.TrimPrefix(fields[2], "i="))
	if err != nil {
		return "", err
	}
	if c.salted, err = pbkdf2.Key(sha256.New, c.Password, salt, rounds, sha256.Size); err != nil {
		return "", err
	}
	without := "c=" + base64.StdEncoding.EncodeToString(append([]byte(c.Header), c.Binding...)) + "," + fields[0]
	c.said = c.bare + "," + server + "," + without
	proof := mac(c.salted, "Client Key")
	stored := sha256.Sum256(proof)
	for i, b := range mac(stored[:], c.said) {
		proof[i] ^= b
	}
	return without + ",p=" + base64.StdEncoding.EncodeToString(proof), nil
}

// Check says whether server-final-message shows that the server knows the
// password too.
func (c *Client) Check(server string) error {
	want := "v=" + base64.StdEncoding.EncodeToString(mac(mac(c.salted, "Server Key"), c.said))
	if server != want {
		return errors.New("the server's signature is not that of the password")
	}
	return nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
