package tables

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"posthorn/internal/addr"
	"posthorn/internal/verdict"
)

// Route says how mail for some addresses leaves, instead of by their MX.
type Route struct {
	Key string // address, domain, .domain (below it) or *

	// Host is where the mail goes: a name, or an IP address without brackets;
	// "" means the recipient's own domain.
	Host      string
	Port      string // "" means the usual one
	Bracketed bool   // Host is used as it is, without looking for its MX
	LMTP      bool   // RFC 2033 is spoken there; Host is used as it is
	Socket    string // path of a Unix socket, instead of Host and Port

	// Refuse, when set, is the answer instead of a delivery.
	Refuse *verdict.Verdict
	Place  Place
}

// Transport is a parsed transport table.
type Transport struct {
	byKey map[string]Route
}

// LoadTransport reads the transport table path.
func LoadTransport(path string) (*Transport, error) {
	content, _, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading transport: %w", err)
	}
	return ParseTransport(path, content)
}

// ParseTransport is LoadTransport for a content already read; file is for
// errors and places.
func ParseTransport(file string, content []byte) (*Transport, error) {
	f := &faults{file: file}
	t := &Transport{byKey: map[string]Route{}}
	for n, line := range f.lines(content) {
		r, err := parseRoute(line)
		if err != nil {
			f.add(n, "%w", err)
			continue
		}
		r.Place = Place{file, n}
		if old, ok := t.byKey[r.Key]; ok {
			f.add(n, "found %s again, which stands in line %d already", r.Key, old.Place.Line)
			continue
		}
		if len(t.byKey) == MaxEntries {
			f.add(n, "found more than %d routes", MaxEntries)
			break
		}
		t.byKey[r.Key] = r
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return t, nil
}

// Lookup finds the route for a: by address, domain, the domains above with a
// dot in front, and *, in this order.
func (t *Transport) Lookup(a addr.Address) (Route, bool) {
	if r, ok := t.byKey[a.Key()]; ok {
		return r, true
	}
	if r, ok := t.byKey[a.Domain]; ok {
		return r, true
	}
	for i := strings.IndexByte(a.Domain, '.'); i >= 0; {
		if r, ok := t.byKey[a.Domain[i:]]; ok {
			return r, true
		}
		next := strings.IndexByte(a.Domain[i+1:], '.')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	r, ok := t.byKey["*"]
	return r, ok
}

// Len returns how many routes there are.
func (t *Transport) Len() int { return len(t.byKey) }

// Ports returns the ports that routes name, in any order and perhaps twice.
func (t *Transport) Ports() []string {
	var list []string
	for _, r := range t.byKey {
		if r.Port != "" {
			list = append(list, r.Port)
		}
	}
	return list
}

// parseRoute reads key, blanks, value.
func parseRoute(line string) (Route, error) {
	if line[0] == ' ' || line[0] == '\t' {
		return Route{}, errors.New("found a blank at the start, expected `domain smtp:host`")
	}
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return Route{}, fmt.Errorf("found %.100q alone, expected `domain smtp:host`", line)
	}
	key, err := routeKey(line[:i])
	if err != nil {
		return Route{}, err
	}
	r := Route{Key: key}
	value := strings.TrimSpace(line[i:])
	kind, rest, _ := strings.Cut(value, ":")
	switch kind {
	case "smtp":
		err = r.setHost(rest)
	case "lmtp":
		err = r.setLMTP(rest)
	case "error":
		err = r.setRefusal(rest)
	default:
		err = fmt.Errorf("found %.100q, expected smtp:host, smtp:[host]:port, smtp:, lmtp:host:port, lmtp:unix:/path or error:5.x.x text", value)
	}
	return r, err
}

func routeKey(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	if strings.Contains(s, "@") {
		a, err := addr.Parse(s)
		if err != nil {
			return "", fmt.Errorf("found %.100q, expected an address or a domain: %w", s, err)
		}
		return a.Key(), nil
	}
	domain, below := strings.CutPrefix(s, ".")
	d, err := addr.ParseDomain(domain)
	if err != nil {
		return "", fmt.Errorf("found %.100q, expected an address or a domain: %w", s, err)
	}
	if below {
		d = "." + d
	}
	return d, nil
}

// lmtpPort is where LMTP is looked for unless a port is written; RFC 2033 5 only
// forbids that of SMTP.
const lmtpPort = "24"

// setLMTP reads unix:/path, or a host as setHost does. No MX record leads to
// LMTP.
func (r *Route) setLMTP(s string) error {
	r.LMTP = true
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t") || len(path) > maxSocket {
			return fmt.Errorf("found the socket %.100q, expected a path from / of at most %d bytes", path, maxSocket)
		}
		r.Socket = path
		return nil
	}
	if err := r.setHost(s); err != nil {
		return err
	}
	switch {
	case r.Host == "":
		return fmt.Errorf("found %.100q, expected lmtp:host:port or lmtp:unix:/path", "lmtp:"+s)
	case r.Port == "25": // RFC 2033 5
		return errors.New("found LMTP on port 25, expected another: that is SMTP's")
	case r.Port == "":
		r.Port = lmtpPort
	}
	return nil
}

// maxSocket is what fits a socket's address (unix(7)).
const maxSocket = 107

// setHost reads host, host:port, [host] or [host]:port.
func (r *Route) setHost(s string) error {
	host, port := s, ""
	if rest, ok := strings.CutPrefix(s, "["); ok {
		if host, port, ok = strings.Cut(rest, "]"); !ok {
			return fmt.Errorf("found %.100q, expected ] behind the host", s)
		}
		if host == "" {
			return fmt.Errorf("found %.100q, expected a host in brackets", s)
		}
		r.Bracketed = true
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	if port != "" {
		n, err := strconv.ParseUint(strings.TrimPrefix(port, ":"), 10, 16)
		if err != nil || n == 0 || port[0] != ':' {
			return fmt.Errorf("found %.100q, expected :port from 1 to 65535 behind the host", s)
		}
		r.Port = strconv.FormatUint(n, 10)
	}
	return r.setName(host)
}

// setName reads the name of a host, or between brackets an IP address.
func (r *Route) setName(host string) error {
	if host == "" {
		return nil
	}
	if ip, err := netip.ParseAddr(strings.TrimPrefix(host, "IPv6:")); err == nil {
		if !r.Bracketed {
			return fmt.Errorf("found the address %s, expected it in brackets", host)
		}
		r.Host = ip.String()
		return nil
	}
	d, err := addr.ParseDomain(host)
	if err != nil {
		return fmt.Errorf("found the host %.100q, expected a name or an address: %w", host, err)
	}
	r.Host = d
	return nil
}

// setRefusal reads an enhanced status code (RFC 3463) and a text.
func (r *Route) setRefusal(s string) error {
	status, text, _ := strings.Cut(s, " ")
	text = strings.TrimSpace(text)
	kind := verdict.Never
	if strings.HasPrefix(status, "4.") {
		kind = verdict.Later
	}
	if !validStatus(status) || text == "" {
		return fmt.Errorf("found error:%.100q, expected error:5.x.x or error:4.x.x and a text", s)
	}
	v := verdict.New(kind, status, text)
	r.Refuse = &v
	return nil
}

// validStatus says whether s is class 4 or 5 of RFC 3463 2.
func validStatus(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != "4" && parts[0] != "5" {
		return false
	}
	for _, p := range parts[1:] {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n > 999 || strconv.FormatUint(n, 10) != p {
			return false
		}
	}
	return true
}
