package conf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// lmtp is the service that only listen offers.
const lmtp = "lmtp"

// Listen is one address on which a service is offered.
type Listen struct {
	Service string // smtp submission submissions pop3 pop3s imap imaps lmtp
	Addr    string // host:port, an empty host is every address; of lmtp also the path of a socket
	Mode    os.FileMode
	Group   string // a name or gid; "" is that of the sockets between the daemons
	Pos     Pos
}

// Path reports whether Addr is that of a Unix socket; Mode and Group are its.
func (l Listen) Path() bool { return strings.HasPrefix(l.Addr, "/") }

func setListen(c *Config, l line) error {
	if len(l.values) != 2 {
		return fmt.Errorf("found %d values, expected a service and host:port", len(l.values))
	}
	one := Listen{Service: l.values[0], Addr: l.values[1], Mode: 0o660, Pos: l.pos}
	known := func(s struct{ name, port string }) bool { return s.name == one.Service }
	if one.Service != lmtp && !slices.ContainsFunc(services, known) {
		return fmt.Errorf("found the service %q, expected smtp, submission, submissions, pop3, pop3s, imap, imaps or lmtp", one.Service)
	}
	path := one.Service == lmtp && one.Path()
	for _, o := range l.options {
		if err := one.option(o, path); err != nil {
			return err
		}
	}
	if !path {
		var err error
		if one.Addr, err = listenAddr(one.Addr, one.Service == lmtp); err != nil {
			return err
		}
	}
	c.Listen = append(c.Listen, one)
	return nil
}

// option reads mode= and group=, which a socket with a path has.
func (l *Listen) option(o option, path bool) error {
	switch {
	case !path:
		return fmt.Errorf("found the option %s=, expected none", o.name)
	case o.name == "group":
		l.Group = o.value
		return nil
	case o.name != "mode":
		return fmt.Errorf("found the option %s=, expected mode= or group=", o.name)
	}
	n, err := strconv.ParseUint(o.value, 8, 32)
	if err != nil || n&^0o666 != 0 || n&0o200 == 0 {
		return fmt.Errorf("found mode=%s, expected an octal mode such as 0660", o.value)
	}
	l.Mode = os.FileMode(n)
	return nil
}

// listenAddr reads host:port. Who speaks LMTP is asked nothing, so that is not
// offered on every address at once.
func listenAddr(at string, one bool) (string, error) {
	host, port, err := net.SplitHostPort(at)
	if err != nil && one {
		return "", fmt.Errorf("found %q, expected the path of a socket or host:port such as 127.0.0.1:24", at)
	}
	if err != nil {
		return "", fmt.Errorf("found %q, expected host:port such as *:25 or 127.0.0.1:2525", at)
	}
	if host == "*" {
		host = ""
	}
	ip, err := netip.ParseAddr(host)
	if host != "" && err != nil {
		return "", fmt.Errorf("found the host %q, expected an IP address or *", host)
	}
	if one && (host == "" || ip.IsUnspecified()) {
		return "", errors.New("found every address, expected one that only hosts you trust can reach")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return "", fmt.Errorf("found the port %q, expected a number up to 65535", port)
	}
	return net.JoinHostPort(host, port), nil
}

// offered says whether one of the usual services has a line; LMTP comes beside
// them.
func (c *Config) offered() bool {
	return slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.Service != lmtp })
}
