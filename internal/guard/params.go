package guard

import (
	"errors"
	"strconv"
	"strings"

	"posthorn/internal/dsn"
)

// maxParams bounds the parameters of one command.
const maxParams = 16

// Errors of the parameters of MAIL and RCPT.
var (
	errParam  = errors.New("parameters are KEYWORD=value with one space in front")
	errParams = errors.New("too many parameters")
	errTwice  = errors.New("a parameter stands twice")
	errSize   = errors.New("SIZE is not a number")
	errUTF8   = errors.New("SMTPUTF8 has no value")
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

// mail reads the parameters of MAIL that go-smtp need not see; it gets the rest.
// RET and ENVID (RFC 3461) are among them when reports says so.
func (p params) mail(reports bool) (m MailParams, rest params, err error) {
	for _, x := range p {
		switch {
		case x.key == "SIZE":
			m.Size, err = parseSize(x.value)
		case x.key == "RET" && reports:
			m.Ret, err = dsn.ParseRet(x.value)
		case x.key == "ENVID" && reports:
			m.Envid, err = dsn.ParseEnvid(x.value)
		case x.key == "SMTPUTF8" && x.value != "": // RFC 6531 3.4
			err = errUTF8
		default:
			m.UTF8 = m.UTF8 || x.key == "SMTPUTF8"
			rest = append(rest, x)
		}
		if err != nil {
			return MailParams{}, nil, err
		}
	}
	return m, rest, nil
}

// parseSize reads SIZE (RFC 1870). A number beyond 63 bits is taken for the
// largest.
func parseSize(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil && !errors.Is(err, strconv.ErrRange) || len(s) > 20 {
		return 0, errSize
	}
	return int64(n), nil
}

// rcpt reads NOTIFY and ORCPT (RFC 3461) when reports says so, and returns the
// parameters that are not known. utf8 says that MAIL had SMTPUTF8.
func (p params) rcpt(reports, utf8 bool) (r dsn.Rcpt, unknown params, err error) {
	for _, x := range p {
		switch {
		case x.key == "NOTIFY" && reports:
			r.Notify, err = dsn.ParseNotify(x.value)
		case x.key == "ORCPT" && reports:
			r.Orcpt, err = dsn.ParseOrcpt(x.value, utf8)
		default:
			unknown = append(unknown, x)
		}
		if err != nil {
			return dsn.Rcpt{}, nil, err
		}
	}
	return r, unknown, nil
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
