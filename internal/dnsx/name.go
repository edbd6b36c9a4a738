package dnsx

import (
	"strings"

	"golang.org/x/net/idna"
)

// Sizes of a name in text form, without the final dot (RFC 1035 2.3.4).
const (
	maxName  = 253
	maxLabel = 63
)

// canonical makes the fully qualified, lower-case ASCII form of a name that
// came from outside. It is false for what cannot be a host or service name, and
// so cannot be in the DNS as far as mail is concerned.
func canonical(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".")
	if !isASCII(name) {
		var err error
		if name, err = toASCII(name); err != nil {
			return "", false
		}
	}
	name = strings.ToLower(name)
	if name == "" || len(name) > maxName {
		return "", false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || !isLabel(label) {
			return "", false
		}
	}
	return name + ".", true
}

// toASCII is IDNA2008 with the mapping of UTS 46. Underscores stay allowed, for
// "_dmarc" stands in front of domains that need the conversion.
func toASCII(name string) (string, error) {
	p := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.StrictDomainName(false))
	return p.ToASCII(name)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// isLabel allows the underscore besides letters, digits and hyphen: service
// names need it, and hosts with one are found in the wild.
func isLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// plain turns a name from an answer into ours: lower case, no final dot, "."
// for the root.
func plain(fqdn string) string {
	if fqdn == "." {
		return fqdn
	}
	return strings.ToLower(strings.TrimSuffix(fqdn, "."))
}
