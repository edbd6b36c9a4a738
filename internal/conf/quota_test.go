package conf

import (
	"fmt"
	"strings"
	"testing"
)

func TestQuota(t *testing.T) {
	for _, tt := range []struct{ directive, rule, want string }{
		{"", "", "{0 0 0}"},
		{"quota 2G\n", "", "{2147483648 0 0}"},
		{"quota 2G messages=10 mailboxes=5\n", "", "{2147483648 10 5}"},
		{"quota mailboxes=5\n", "", "{0 0 5}"},
		{"quota 0\n", "", "{0 0 0}"},
		{"quota 2G messages=10 mailboxes=5\n", "*:storage=1M", "{1048576 0 5}"},
		{"quota 2G messages=10 mailboxes=5\n", "*:messages=7:mailboxes=0", "{0 7 0}"},
		{"quota 2G mailboxes=5\n", "*:ignore", "{0 0 0}"},
		{"", "*:storage=100", "{102400 0 0}"},
		{"", "*:bytes=100:messages=3", "{100 3 0}"},
		{"", "storage=1t", "{1099511627776 0 0}"},
		{"", "*:storage=5B", "{5 0 0}"},
		{"", "*:bytes=2k", "{2048 0 0}"},
		{"", "*:storage=0", "{0 0 0}"},
	} {
		c, err := load(t, minimal+tt.directive)
		if err != nil {
			t.Errorf("%s: %v", tt.directive, err)
			continue
		}
		q, err := c.Quota.With(tt.rule)
		if got := fmt.Sprint(q.Storage, " ", q.Messages, " ", q.Mailboxes); "{"+got+"}" != tt.want || err != nil {
			t.Errorf("%s %s: got %s, %v, want %s", tt.directive, tt.rule, got, err, tt.want)
		}
		if again, err := (Quota{}).With(q.String()); again != q || err != nil {
			t.Errorf("%s: got %v, %v, want %v", q, again, err, q)
		}
	}
	for _, tt := range []struct{ rule, want string }{
		{"*:storage=10%", "expected a size"}, {"*:storage=-1", "expected a size"}, {"*:storage=", "expected a size"}, {"*:storage=9999999999T", "expected a size"},
		{"*:messages=1k", "expected a number"}, {"*:messages=", "expected a number"}, {"Trash:storage=1", "expected storage="}, {"*:", "expected storage="}, {"1G", "expected storage="},
	} {
		if q, err := (Quota{}).With(tt.rule); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v, want %s", tt.rule, q, err, tt.want)
		}
	}
}
