package conf

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

func setListen(c *Config, l line) error {
	if len(l.values) != 2 {
		return fmt.Errorf("found %d values, expected a service and host:port", len(l.values))
	}
	service, at := l.values[0], l.values[1]
	if !slices.ContainsFunc(services, func(s struct{ name, port string }) bool { return s.name == service }) {
		return fmt.Errorf("found the service %q, expected smtp, submission, submissions, pop3, pop3s, imap or imaps", service)
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return fmt.Errorf("found %q, expected host:port such as *:25 or 127.0.0.1:2525", at)
	}
	if host == "*" {
		host = ""
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		return fmt.Errorf("found the host %q, expected an IP address or *", host)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return fmt.Errorf("found the port %q, expected a number up to 65535", port)
	}
	for _, o := range l.options {
		return fmt.Errorf("found the option %s=, expected none", o.name)
	}
	c.Listen = append(c.Listen, Listen{Service: service, Addr: net.JoinHostPort(host, port), Pos: l.pos})
	return nil
}
