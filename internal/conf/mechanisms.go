package conf

import (
	"fmt"
	"slices"
	"strings"
)

// authMechanisms are those that authd knows.
const authMechanisms = "plain login scram-sha-256 scram-sha-256-plus oauthbearer xoauth2 external"

func setAuthMechanisms(c *Config, l line) error {
	values, err := l.several()
	if err != nil {
		return err
	}
	var names []string
	for _, v := range values {
		if !slices.Contains(strings.Fields(authMechanisms), strings.ToLower(v)) {
			return fmt.Errorf("found %q, expected some of %s", v, authMechanisms)
		}
		names = append(names, strings.ToUpper(v))
	}
	c.AuthMechanisms = names
	return nil
}

// AuthMechanism reports whether a SASL mechanism, in capitals, is allowed.
func (c *Config) AuthMechanism(name string) bool { return slices.Contains(c.AuthMechanisms, name) }
