package conf

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAutoexpunge(t *testing.T) {
	c, err := load(t, minimal+"autoexpunge Trash 30d\nautoexpunge \"Sent Messages\" 90d seen\nautoexpunge Keep.* never\nautoexpunge Lists.% 7d received\nautoexpunge inbox 365d seen received\nautoexpunge *.old 5d\n")
	if err != nil {
		t.Fatal(err)
	}
	own, err := c.Autoexpunge.With("Trash:never,Work:1h:seen")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		mailbox string
		want    ExpungeRule // Age 0: none
	}{
		{"Trash", ExpungeRule{Mailbox: "Trash", Age: 30 * day}},
		{"trash", ExpungeRule{}},
		{"Trash.below", ExpungeRule{}},
		{"Sent Messages", ExpungeRule{Mailbox: "Sent Messages", Age: 90 * day, Seen: true}},
		{"Keep.old", ExpungeRule{}},
		{"Keep", ExpungeRule{}},
		{"Lists.go", ExpungeRule{Mailbox: "Lists.%", Age: 7 * day, Received: true}},
		{"Lists.go.old", ExpungeRule{Mailbox: "*.old", Age: 5 * day}},
		{"Lists", ExpungeRule{}},
		{"INBOX", ExpungeRule{Mailbox: "inbox", Age: 365 * day, Seen: true, Received: true}},
	} {
		got, ok := c.Autoexpunge.For(tt.mailbox)
		if ok != (tt.want.Age > 0) || ok && !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v, want %+v", tt.mailbox, got, ok, tt.want)
		}
	}
	if r, ok := own.For("Trash"); ok {
		t.Errorf("a user's never: got %+v", r)
	}
	if r, ok := own.For("Work"); !ok || r.Age != time.Hour || !r.Seen {
		t.Errorf("a user's rule: got %+v, %v", r, ok)
	}
	for _, list := range []string{"Trash", "Trash:", ":30d", "Trash:30", "Trash:0", "Trash:30d:flagged", "Trash:30d,", "Trash:99999d"} {
		if got, err := c.Autoexpunge.With(list); err == nil {
			t.Errorf("%q: got %+v, want an error", list, got)
		}
	}
}

func TestExpungePatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "INBOX", true}, {"*", "a.b", true}, {"%", "a", true}, {"%", "a.b", false}, {"%.%", "a.b", true}, {"%.%", "a.b.c", false},
		{"a*c", "abc", true}, {"a*c", "abcd", false}, {"a*b*c", "axbxbc", true}, {"*%c", "a.bc", true}, {"*%", "a.b", true}, {"%*b", "a.b", true},
		{"a%*c.d", "ax.y.c.d", true}, {"%b", "ab", true}, {"%b", "a.b", false}, {"*a%b", "a.ab", true}, {"", "", true}, {"", "a", false},
		{strings.Repeat("*a", 30), strings.Repeat("a", 2000) + "b", false}, {strings.Repeat("%a", 30), strings.Repeat("a", 2000) + "b", false},
	} {
		if got := matches(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%.20s, %.20s: got %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}
