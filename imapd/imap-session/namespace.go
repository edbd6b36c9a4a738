package main

import (
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/wire"
)

// namespace answers with the namespaces there are (RFC 2342 section 5).
func (s *Session) namespace(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	others, public := "NIL", "NIL"
	if s.realm.Shares != nil {
		others = `(("` + realm.SharedPrefix + `" "/"))`
		if s.realm.Public != "" {
			public = `(("` + realm.PublicPrefix + `" "/"))`
		}
	}
	s.w.Raw(`* NAMESPACE (("" ".")) `, others, " ", public, "\r\n")
	return "NAMESPACE completed", nil
}
