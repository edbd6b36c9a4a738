package conf

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/internal/uidl"
)

func TestPOP3(t *testing.T) {
	about := uidl.Message{UID: 12, UIDValidity: 255, File: "f"}
	for _, tc := range []struct{ name, directive, user, want string }{
		{"by default", "", "", "0000000c000000ff true 0 false"},
		{"all of them", "pop3 uidl=UID%u-%v fetched=30d deleted=hide\n", "", "UID12-255 true 30 true"},
		{"the user's", "pop3 uidl=UID%u-%v fetched=30d deleted=hide\n", "fetched=seen,deleted=remove", "UID12-255 true 0 false"},
		{"the user's template", "", "uidl=%f", "f true 0 false"},
		{"as it is", "pop3 fetched=30d\n", "fetched=keep", "0000000c000000ff false 0 false"},
		{"one day", "", "fetched=1d", "0000000c000000ff true 1 false"},
	} {
		c, err := load(t, minimal+tc.directive)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		p, err := c.POP3.With(tc.user)
		if got := fmt.Sprintf("%s %v %d %v", p.UIDL.Append(nil, about), p.Mark, p.Expire, p.Hide); got != tc.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", tc.name, got, err, tc.want)
		}
	}
	for _, tc := range []struct{ list, want string }{
		{"fetched=0d", "expected keep, seen or days"}, {"fetched=3651d", "at most 3650d"}, {"fetched=d", "expected keep"}, {"fetched=", "expected keep"},
		{"fetched=-1d", "expected keep"}, {"deleted=never", "expected remove or hide"}, {"uidl=%v", "expected %u or %f"}, {"x=y", "expected uidl="},
		{",", "expected uidl="}, {"fetched=seen,", "expected uidl="},
	} {
		if p, err := (POP3{}).With(tc.list); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got %v, %v, want %q", tc.list, p, err, tc.want)
		}
	}
}
