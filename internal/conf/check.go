package conf

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// Where things are unless a directive says otherwise; the build sets these.
var (
	DefaultFile     = "/etc/posthorn/posthorn.conf" // read where no -c names another
	DefaultLibexec  = "/usr/libexec/posthorn"
	DefaultRunDir   = "/run/posthorn"
	DefaultSpool    = "/var/spool/posthorn"
	DefaultMailRoot = "/var/mail/posthorn"
)

// checkDomain wants a host name of ASCII labels and returns it in lower case.
func checkDomain(s string) (string, error) {
	low := strings.ToLower(s)
	if low == "" || len(low) > 253 {
		return "", fmt.Errorf("found %q, expected a domain", s)
	}
	for label := range strings.SplitSeq(low, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" ||
			strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return "", fmt.Errorf("found %q, expected a domain of letters, digits and hyphens (xn--… for others)", s)
		}
	}
	return low, nil
}

func checkPath(s string) (string, error) {
	if !filepath.IsAbs(s) || strings.ContainsAny(s, "\x00\n") {
		return "", fmt.Errorf("found %q, expected a path that begins with /", s)
	}
	return filepath.Clean(s), nil
}

// checkUser takes a user of the table, in the form that names have there.
func checkUser(s string) (string, error) {
	s, err := checkAddress(s)
	return strings.ToLower(s), err
}

func checkAddress(s string) (string, error) {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || strings.ContainsAny(local, " \t<>\"") {
		return "", fmt.Errorf("found %q, expected an address such as ann@example.org", s)
	}
	domain, err := checkDomain(domain)
	if err != nil {
		return "", err
	}
	return local + "@" + domain, nil
}

func checkPort(s string) (string, error) {
	if n, err := strconv.ParseUint(s, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("found %q, expected a port from 1 to 65535", s)
	}
	return s, nil
}

func checkIP(s string) (string, error) {
	if _, err := netip.ParseAddr(s); err != nil {
		return "", fmt.Errorf("found %q, expected an IP address", s)
	}
	return s, nil
}

func checkDelimiter(s string) (string, error) {
	if s == "" || len(s) > 4 || strings.ContainsAny(s, "@ \t\"\\") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("found %q, expected one to four characters such as +", s)
	}
	return s, nil
}
