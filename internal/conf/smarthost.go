package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func setSmarthost(c *Config, l line) error {
	if len(l.values) != 2 {
		return fmt.Errorf("found %d values, expected default, an address or @domain, and a host", len(l.values))
	}
	s := Smarthost{Sender: strings.ToLower(l.values[0]), Pos: l.pos}
	if s.Sender != "default" && !strings.Contains(s.Sender, "@") {
		return fmt.Errorf("found the sender %q, expected default, an address or @domain", s.Sender)
	}
	for _, other := range c.Smarthosts {
		if other.Sender == s.Sender {
			return fmt.Errorf("found a second line for %s, expected only the one at %s", s.Sender, other.Pos)
		}
	}
	var err error
	if s.Host, s.Port, s.MX, err = parseNextHop(l.values[1]); err != nil {
		return err
	}
	for _, o := range l.options {
		if err := s.option(o); err != nil {
			return err
		}
	}
	if s.Login != "" && s.MX {
		// The name that the certificate is checked for would come from the DNS.
		return fmt.Errorf("found login= with a host that stands for its MX hosts, expected the host itself in brackets")
	}
	s.defaultTLS()
	c.Smarthosts = append(c.Smarthosts, s)
	return nil
}

// defaultTLS chooses for a line without tls=. A password goes to nobody whose
// certificate was not checked, unless the line asks for it.
func (s *Smarthost) defaultTLS() {
	switch {
	case s.TLS != "":
	case s.Login != "":
		s.TLS = "require"
	default:
		s.TLS = "may"
	}
}

func (s *Smarthost) option(o option) error {
	switch o.name {
	case "login":
		if !strings.HasPrefix(o.value, "@/") {
			return fmt.Errorf("login: found a plain value, expected @ and the path of a file with user:password")
		}
		s.Login = o.value
	case "tls":
		if !slices.Contains([]string{"may", "require", "implicit", "none"}, o.value) {
			return fmt.Errorf("tls: found %q, expected may, require, implicit or none", o.value)
		}
		s.TLS = o.value
	case "ca":
		if _, err := checkPath(o.value); err != nil {
			return err
		}
		s.CAFile = o.value
	default:
		return fmt.Errorf("found the option %s=, expected login=, tls= or ca=", o.name)
	}
	return nil
}

// parseNextHop reads [host]:port, host:port, [host] or host; brackets mean the
// host itself, without them it stands for its MX hosts.
func parseNextHop(s string) (host, port string, mx bool, err error) {
	bad := fmt.Errorf("found %q, expected [host]:port or host:port", s)
	host, port, mx = s, "25", true
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || (end+1 < len(s) && s[end+1] != ':') {
			return "", "", false, bad
		}
		host, mx = s[1:end], false
		if end+2 <= len(s) {
			port = s[end+2:]
		}
	} else if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
	}
	if _, err := checkPort(port); err != nil {
		return "", "", false, bad
	}
	if ip, err := netip.ParseAddr(host); err == nil && !mx {
		return ip.String(), port, false, nil
	}
	if host, err = checkDomain(host); err != nil {
		return "", "", false, bad
	}
	return host, port, mx, nil
}
