package conf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Quota is what a mailbox may hold with all its folders. 0 is no limit.
type Quota struct {
	Storage   int64 // octets of the messages' files
	Messages  int64
	Mailboxes int64 // folders, INBOX included
}

// With returns q with what a rule in the form of Dovecot's quota_rule says
// instead, such as "*:storage=1G:messages=10000". Storage and messages that it
// does not name have no limit; mailboxes=, which Dovecot does not know, stay as
// they are.
func (q Quota) With(rule string) (Quota, error) {
	if rule == "" {
		return q, nil
	}
	q.Storage, q.Messages = 0, 0
	limits := strings.TrimPrefix(rule, "*:")
	if limits == "ignore" {
		return Quota{}, nil
	}
	for limit := range strings.SplitSeq(limits, ":") {
		name, value, _ := strings.Cut(limit, "=")
		if err := q.set(name, value); err != nil {
			return Quota{}, err
		}
	}
	return q, nil
}

func (q *Quota) set(name, value string) (err error) {
	switch name {
	case "storage": // in KiB where no unit is named
		q.Storage, err = quotaSize(value, "K")
	case "bytes":
		q.Storage, err = quotaSize(value, "B")
	case "messages":
		q.Messages, err = quotaNumber(value)
	case "mailboxes":
		q.Mailboxes, err = quotaNumber(value)
	default:
		err = fmt.Errorf("found %.40q, expected storage=, bytes=, messages= or mailboxes=", name)
	}
	return err
}

// String returns q as a rule for With, "" for no limits.
func (q Quota) String() string {
	if q == (Quota{}) {
		return ""
	}
	return fmt.Sprintf("bytes=%d:messages=%d:mailboxes=%d", q.Storage, q.Messages, q.Mailboxes)
}

func quotaSize(s, unit string) (int64, error) {
	if s != "" && strings.ContainsAny(s[len(s)-1:], "BbKkMmGgTt") {
		s, unit = s[:len(s)-1], strings.ToUpper(s[len(s)-1:])
	}
	n, err := quotaNumber(s)
	shift := 10 * strings.Index("BKMGT", unit)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("found %.40q, expected a size such as 500M or 1G", s)
	}
	return n << shift, nil
}

func quotaNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || s[0] == '+' || s[0] == '-' {
		return 0, fmt.Errorf("found %.40q, expected a number, 0 for no limit", s)
	}
	return n, nil
}

// setQuota takes the directive.
func setQuota(c *Config, l line) error {
	if len(l.values) > 1 || len(l.values)+len(l.options) == 0 {
		return fmt.Errorf("found %d values, expected a size, messages=, mailboxes= or several of them", len(l.values))
	}
	for _, v := range l.values {
		n, err := parseSize(v)
		if err != nil {
			return err
		}
		c.Quota.Storage = n
	}
	for _, o := range l.options {
		if o.name != "messages" && o.name != "mailboxes" {
			return fmt.Errorf("found %.40q, expected messages= or mailboxes=", o.name)
		}
		if err := c.Quota.set(o.name, o.value); err != nil {
			return err
		}
	}
	return nil
}
