package acl

import (
	"strings"
	"testing"
)

// TestRights follows the examples of RFC 4314 sections 2.1.1 and 3.1.
func TestRights(t *testing.T) {
	for _, tt := range []struct{ in, want, kept string }{
		{"", "", ""},
		{"lrswida", "lrswitead", "lrswitea"},
		{"lrswikda", "lrswikteacd", "lrswiktea"},
		{"cda", "kxteacd", "kxtea"},
		{"aetxkpiwsrl", "lrswipkxteacd", "lrswipkxtea"},
		{"ll", "l", "l"},
		{"x", "xc", "x"},
	} {
		r, err := Parse(tt.in)
		if err != nil || r.String() != tt.want || r.Letters() != tt.kept {
			t.Errorf("%s: got %s, %s, %v, want %s, %s", tt.in, r, r.Letters(), err, tt.want, tt.kept)
		}
	}
	for _, bad := range []string{"lrQswicda", "lrqswicda", "l r", "0", "é"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%s: got nil, want an error", bad)
		}
	}
	if All.Letters() != letters {
		t.Errorf("got %s, want all", All.Letters())
	}
}

func TestGrantable(t *testing.T) {
	for owner, want := range map[bool]string{true: "la|r s w i p k x t e c d", false: "|l r s w i p k x t e a c d"} {
		always, others := Grantable(owner)
		if got := always + "|" + strings.Join(others, " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestOf(t *testing.T) {
	ann := Who{User: "ann@x.example", Owner: true}
	bob := Who{User: "bob@x.example", Groups: []string{"staff", "sales"}}
	for _, tt := range []struct {
		name, list string // identifier rights, …
		who        Who
		want       string
	}{
		{"an owner without a list", "", ann, letters},
		{"another without a list", "", bob, ""},
		{"an owner beside others", "bob@x.example lr", ann, letters},
		{"a user", "bob@x.example lr", bob, "lr"},
		{"another user", "carl@x.example lr", bob, ""},
		{"anyone", "anyone l", bob, "l"},
		{"authenticated", "authenticated l", bob, "l"},
		{"a group", "group=staff lr,group=board lrs", bob, "lr"},
		{"all that name him", "anyone l,group=staff r,group=sales s,bob@x.example w", bob, "lrsw"},
		{"a negative right", "anyone lrsw,-bob@x.example w", bob, "lrs"},
		{"a negative group", "bob@x.example lrsw,-group=sales sw", bob, "lr"},
		{"a negative of anyone", "bob@x.example lrsw,-anyone lrsw", bob, ""},
		{"a restricted owner", "owner lr", ann, "lra"},
		{"owner is not another", "owner lr", bob, ""},
		{"a negative owner keeps the least", "-owner lrswipkxtea", ann, "la"},
		{"an owner by a negative name", "-ann@x.example e", ann, "lrswipkxta"},
		{"a line that was edited badly", "anyone lrQ,bob@x.example l", bob, "l"},
		{"virtual rights by hand", "bob@x.example lrd", bob, "lrte"},
	} {
		list := map[string]string{}
		for pair := range strings.SplitSeq(tt.list, ",") {
			if id, rights, ok := strings.Cut(pair, " "); ok {
				list[id] = rights
			}
		}
		if got := tt.who.Of(list).Letters(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
