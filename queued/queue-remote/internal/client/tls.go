package client

import (
	"crypto/tls"
	"fmt"
	"time"
)

// StartTLS asks for TLS, shakes hands and says EHLO again (RFC 3207 4.2). An
// error that is not *Refused leaves the connection broken.
//
// What the server sent in clear behind its 220 is thrown away unread: it may
// come from somebody in the middle.
func (c *Conn) StartTLS(config *tls.Config) error {
	r, err := c.ask("STARTTLS")
	if err != nil {
		return fmt.Errorf("STARTTLS: %w", err)
	}
	if r.Code != 220 {
		return &Refused{"STARTTLS", r}
	}
	t := tls.Client(c.raw, config)
	t.SetDeadline(time.Now().Add(c.o.Timeout))
	if err := t.Handshake(); err != nil {
		c.broken = true
		return fmt.Errorf("TLS handshake: %w", err)
	}
	t.SetDeadline(time.Time{})
	c.use(t)
	state := t.ConnectionState()
	c.tls = &state
	return c.Hello()
}
