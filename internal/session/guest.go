package session

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"posthorn/internal/attr"
)

// Guest is one session as an administrator sees it.
type Guest struct {
	ID      string // the sid of the logs
	User    string
	Service string // imap or pop3
	Client  string // address
	TLS     bool
	Folder  string // that is open, or ""
	Active  bool   // does something for the client right now
	Since   time.Time
	Last    time.Time // when it did something last
}

// add appends g as a group of attributes.
func (g Guest) add(l *attr.List) {
	l.Add("session", g.ID)
	l.Add("user", g.User)
	l.Add("service", g.Service)
	l.Add("client", g.Client)
	l.Add("tls", yesNo(g.TLS))
	l.Add("folder", strings.Map(printable, g.Folder))
	l.Add("active", yesNo(g.Active))
	l.AddInt("since", g.Since.UnixMicro())
	l.AddInt("last", g.Last.UnixMicro())
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// printable keeps a folder's name to its line.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}

// guestOf reads what add wrote.
func guestOf(l attr.List) (Guest, error) {
	g := Guest{
		ID: l.Get("session"), User: l.Get("user"), Service: l.Get("service"), Client: l.Get("client"),
		TLS: l.Get("tls") == "yes", Folder: l.Get("folder"), Active: l.Get("active") == "yes",
	}
	since, err := l.Int("since")
	last, lerr := l.Int("last")
	g.Since, g.Last = time.UnixMicro(since), time.UnixMicro(last)
	if err := errors.Join(err, lerr); err != nil {
		return g, fmt.Errorf("session %.40q: %w", g.ID, err)
	}
	return g, nil
}

// guest is c's session as it is now.
func (c *Conn) guest() Guest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Guest{
		ID: c.SID, User: c.User, Service: c.Service, Client: c.Client.Unmap().String(), TLS: c.TLS,
		Folder: c.folder, Active: c.active, Since: time.UnixMicro(c.since), Last: time.UnixMicro(c.last),
	}
}

// SetFolder notes which folder the session has open, for administrators; "" is
// none.
func (c *Conn) SetFolder(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.folder = name
}

// mark notes that the session begins or ends to do something.
func (c *Conn) mark(active bool) {
	now := time.Now().UnixMicro()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active, c.last = active, now
	if c.since == 0 {
		c.since = now
	}
}
