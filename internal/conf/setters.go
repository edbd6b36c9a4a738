package conf

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

func setTLS(c *Config, l line) error {
	values, err := l.several()
	if err != nil {
		return err
	}
	for _, v := range values {
		if _, err := checkPath(v); err != nil {
			return err
		}
	}
	c.TLS = append(c.TLS, values...)
	return nil
}

func setRelayFrom(c *Config, l line) error {
	values, err := l.several()
	if err != nil {
		return err
	}
	for _, v := range values {
		p, err := netip.ParsePrefix(v)
		if err != nil {
			ip, err := netip.ParseAddr(v)
			if err != nil {
				return fmt.Errorf("found %q, expected an address or network such as 192.0.2.0/24", v)
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		c.RelayFrom = append(c.RelayFrom, p.Masked())
	}
	return nil
}

func setResolver(c *Config, l line) error {
	values, err := l.several()
	if err != nil {
		return err
	}
	for _, v := range values {
		if ip, err := netip.ParseAddr(v); err == nil {
			v = net.JoinHostPort(ip.String(), "53")
		}
		if _, err := netip.ParseAddrPort(v); err != nil {
			return fmt.Errorf("found %q, expected an address or address:port", v)
		}
		c.Resolvers = append(c.Resolvers, v)
	}
	return nil
}

func setRetry(c *Config, l line) error {
	values, err := l.several()
	if err != nil {
		return err
	}
	var waits []time.Duration
	for _, v := range values {
		d, err := parseDuration(v)
		if err != nil {
			return err
		}
		if d < time.Second || d > 2*day {
			return fmt.Errorf("found %s, expected from 1s to 2d", v)
		}
		waits = append(waits, d)
	}
	c.Retry = waits
	return nil
}

func setProcessUser(c *Config, l line) error {
	if len(l.values) != 2 || len(l.options) > 0 {
		return fmt.Errorf("found %d values, expected a process and a user", len(l.values))
	}
	if !slices.ContainsFunc(processes, func(p struct{ name, user, groups string }) bool { return p.name == l.values[0] }) {
		return fmt.Errorf("found the process %q, expected one of posthorn.conf(5)", l.values[0])
	}
	c.users[l.values[0]] = l.values[1]
	return nil
}

func setMailqUsers(c *Config, l line) error {
	values, err := l.several()
	for _, v := range values {
		if strings.ContainsAny(v, ":/@") {
			return fmt.Errorf("found %q, expected the name of a user, a uid or *", v)
		}
	}
	c.mailq = append(c.mailq, values...)
	return err
}

func setProcessGroup(c *Config, l line) error {
	if len(l.values) != 2 || len(l.options) > 0 {
		return fmt.Errorf("found %d values, expected sockets, incoming or tls, and a group", len(l.values))
	}
	if !slices.ContainsFunc(groupNames, func(g struct{ name, group string }) bool { return g.name == l.values[0] }) {
		return fmt.Errorf("found %q, expected sockets, incoming or tls", l.values[0])
	}
	c.groups[l.values[0]] = l.values[1]
	return nil
}
