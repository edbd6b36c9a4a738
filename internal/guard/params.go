package guard

import (
	"errors"
	"strconv"
	"strings"
)

// maxParams bounds the parameters of one command.
const maxParams = 16

// Errors of the parameters of MAIL and RCPT.
var (
	errParam  = errors.New("parameters are KEYWORD=value with one space in front")
	errParams = errors.New("too many parameters")
	errTwice  = errors.New("a parameter stands twice")
	errSize   = errors.New("SIZE is not a number")
)

// param is one ESMTP parameter (RFC 5321 4.1.2); value is "" for a bare keyword.
type param struct{ key, value string }

type params []param

// parseParams reads what stands behind a path. go-smtp keeps the last of two
// equal parameters and splits at every blank: here both are refused.
func parseParams(s string) (params, error) {
	if s = strings.TrimRight(s, " "); s == "" {
		return nil, nil
	}
	if s[0] != ' ' {
		return nil, errParam
	}
	var list params
	for word := range strings.SplitSeq(s[1:], " ") {
		key, value, given := strings.Cut(word, "=")
		key = strings.ToUpper(key)
		switch {
		case !validKeyword(key) || given && !validValue(value):
			return nil, errParam
		case list.has(key):
			return nil, errTwice
		case len(list) == maxParams:
			return nil, errParams
		}
		list = append(list, param{key, value})
	}
	return list, nil
}

func validKeyword(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && (c != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}

func validValue(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '=' || r == 0x7f })
}

func (p params) has(key string) bool {
	for _, x := range p {
		if x.key == key {
			return true
		}
	}
	return false
}

// takeSize returns the value of SIZE (RFC 1870), 0 if there is none, and the
// other parameters. A number beyond 63 bits is taken for the largest.
func (p params) takeSize() (int64, params, error) {
	var size int64
	var rest params
	for _, x := range p {
		if x.key != "SIZE" {
			rest = append(rest, x)
			continue
		}
		n, err := strconv.ParseUint(x.value, 10, 63)
		if err != nil && !errors.Is(err, strconv.ErrRange) || len(x.value) > 20 {
			return 0, nil, errSize
		}
		size = int64(n)
	}
	return size, rest, nil
}

// String writes the parameters as they stand behind a path.
func (p params) String() string {
	var b strings.Builder
	for _, x := range p {
		b.WriteString(" " + x.key)
		if x.value != "" {
			b.WriteString("=" + x.value)
		}
	}
	return b.String()
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
